"""Starts the agent's process, before the session itself is ready for it (driver.py)."""
