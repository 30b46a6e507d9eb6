"""Asks this machine for names."""
