"""A port-forward: bytes to and from a port of a pod, through the API server."""
