"""Which process the target is, and how the agent comes to act with its rights."""
