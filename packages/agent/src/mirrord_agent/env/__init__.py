"""The target's environment."""
