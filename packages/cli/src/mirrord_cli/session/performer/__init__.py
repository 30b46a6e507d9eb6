"""Puts the session's parts together, and does what ../machine.py decides (driver.py)."""
