"""Agents in a cluster: which are tried in which order, what they are made of, how they are started and watched."""
