"""Names, outgoing and incoming connections, as the session sees them. docs/network.md has the whole.

rules.py decides whose something is, names.py answers for names.
"""
