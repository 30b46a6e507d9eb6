"""Who comes to an agent's port."""
