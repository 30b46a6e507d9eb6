"""One run of the agent."""
