"""Connects of programs: through the agent to the target's network, and on this machine to the program (driver.py)."""
