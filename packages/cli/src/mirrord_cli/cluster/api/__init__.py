"""Requests to a cluster."""
