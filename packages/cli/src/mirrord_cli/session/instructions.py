"""What the command line says to a session that is to meet its agent in a cluster, and how that becomes bytes. No I/O.

It goes the other way over the status socket. What the session answers is in status.py: `Ready`, or `Unmet`, after
which another instruction may follow. When the command line is gone without a `Ready`, the session removes what the
last `Began` named.
"""

from __future__ import annotations

import msgspec

from mirrord_cli.session.access import Access


class Began(msgspec.Struct, frozen=True, tag=True, array_like=True, kw_only=True):
    """An agent is about to be created. Said before it is, so that nothing is left if the command line is killed."""

    access: Access
    namespace: str
    """The agent's."""
    job: str = ""
    """The name of its Job, which is to be removed; empty for an ephemeral container, which ends by itself."""
    pod: str = ""
    """The target's, where an ephemeral container is created; so that it can be told to end. Empty for a Job."""
    port: int
    """On the loopback of the pod's network."""
    token: bytes

    def __repr__(self) -> str:
        return f"Began(namespace={self.namespace!r}, job={self.job!r}, pod={self.pod!r})"  # the token is for no log


class Meet(msgspec.Struct, frozen=True, tag=True, array_like=True, kw_only=True):
    """The agent of the last `Began` runs: connect to it."""

    pod: str
    patience: float
    """Seconds within which it has to listen."""


Instruction = Began | Meet
