"""What a session removes of what was created for it."""
