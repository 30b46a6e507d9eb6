"""Builds the agent's container image on a machine that has no image registry."""
