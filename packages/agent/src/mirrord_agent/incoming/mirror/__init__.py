"""Carries a connection on to the target and copies what its client says."""
