"""Worker threads for calls that may wait."""
