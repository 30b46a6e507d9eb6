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
    job: str
    """The name of its Job; empty for an ephemeral container, which ends by itself and can't be removed."""


class Meet(msgspec.Struct, frozen=True, tag=True, array_like=True, kw_only=True):
    """The agent runs: connect to it. Its namespace and access are those of the last `Began`."""

    pod: str
    port: int
    """On the loopback of the pod's network."""
    token: bytes
    patience: float
    """Seconds within which it has to listen."""

    def __repr__(self) -> str:
        return f"Meet(pod={self.pod!r}, port={self.port})"  # the token belongs into no log


Instruction = Began | Meet
