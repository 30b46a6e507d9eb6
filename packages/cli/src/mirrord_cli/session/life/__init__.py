"""A session's life: what it tells the command line, what it waits for, and when it ends (driver.py)."""
