"""Resets connections that were established before a subscription."""
