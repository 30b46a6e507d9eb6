"""Starts the agent's process, before anything that takes long to load (driver.py)."""
