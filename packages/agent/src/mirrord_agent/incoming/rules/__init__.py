"""The tables of nftables that redirect connections to the agent."""
