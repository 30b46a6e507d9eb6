"""A directory's entries with their stats."""
