"""The configuration: from files, variables and options to values.

keys.py is the one definition of the keys; everything else reads it. driver.py alone reads files; its `load` is the door.
"""
