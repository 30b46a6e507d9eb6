"""Looks at the processes that ask."""
