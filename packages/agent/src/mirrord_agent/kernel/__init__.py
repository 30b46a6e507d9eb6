"""Bindings to system calls that Python's os module lacks."""
