"""Asks the agent what ../machine.py wants to know (driver.py)."""
