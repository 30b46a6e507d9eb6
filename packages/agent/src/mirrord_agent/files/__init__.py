"""The target's files."""
