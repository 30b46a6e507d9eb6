"""Connections that come to the target, brought to programs (driver.py)."""
