"""Carries programs' datagrams (driver.py)."""
