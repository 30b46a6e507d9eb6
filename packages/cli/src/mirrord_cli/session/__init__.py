"""The session: the process that owns the connection to the agent, the caches, and the contents of descriptors.

Nothing here imports from the rest of `mirrord_cli`; launch/ starts it with `Settings`.
"""
