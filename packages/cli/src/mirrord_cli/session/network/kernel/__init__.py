"""What this machine's kernel knows of sockets (driver.py)."""
