"""Sockets in the target's network, as all parts of the agent make them."""
