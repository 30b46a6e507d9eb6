"""Which process a container is."""
