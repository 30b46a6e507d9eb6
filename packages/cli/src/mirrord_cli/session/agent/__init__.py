"""The session's side of the agent: how it is started and ended (process/), what is asked of it (driver.py)."""
