"""A session's life from its start to its end (driver.py)."""
