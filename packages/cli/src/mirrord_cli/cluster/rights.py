"""A right that a user needs in a cluster: what the code asks for, said beside it, and printed by `mirrord rbac`. No I/O.

roles.py puts them together.
"""

from __future__ import annotations

from msgspec import Struct


class Right(Struct, frozen=True):
    """Some verbs on one kind of object in one namespace, in the words of RBAC."""

    group: str
    """The API's group; empty for the core."""
    resource: str
    """In the plural; a part of it after a slash."""
    verbs: tuple[str, ...]
    why: str
    """What it is for, in a few words."""
