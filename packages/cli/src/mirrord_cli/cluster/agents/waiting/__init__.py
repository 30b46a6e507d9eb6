"""Agents on their way."""
