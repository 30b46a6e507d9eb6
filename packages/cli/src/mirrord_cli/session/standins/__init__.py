"""The local objects behind remote descriptors: which of them are kept (registry.py), and how they are made (driver.py)."""
