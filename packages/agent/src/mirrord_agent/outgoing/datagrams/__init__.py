"""Datagrams of UDP sockets in the target's network."""
