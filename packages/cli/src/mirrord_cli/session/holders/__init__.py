"""Who still holds a stand-in that a program got: the kernel tells (driver.py)."""
