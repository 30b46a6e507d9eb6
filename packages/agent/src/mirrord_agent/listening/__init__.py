"""An agent that waits for its session on a port."""
