"""How a path leads to a file below the target's root."""
