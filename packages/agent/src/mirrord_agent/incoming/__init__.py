"""Connections that come to the target's ports: stolen or mirrored."""
