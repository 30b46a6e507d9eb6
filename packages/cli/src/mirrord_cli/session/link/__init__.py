"""Where questions of layers come in and answers go out (driver.py). What is answered is decided by ../machine.py."""
