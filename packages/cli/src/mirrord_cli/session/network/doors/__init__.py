"""Listeners for one connection of one program each (driver.py)."""
