"""Agents in a cluster."""
