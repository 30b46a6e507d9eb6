"""Bytes to and from a server: over a socket, and over TLS over that."""
