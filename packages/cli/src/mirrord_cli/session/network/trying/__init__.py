"""Finds addresses that can be bound on this machine (driver.py)."""
