"""What the command line says to a session that is to meet its agent in a cluster, and how that becomes bytes. No I/O.

It goes the other way over the status socket: `Began`, `Meet`, then `Runs` or `Leave`, or
`NotCreated` after `Began`. A `Meet` is answered once, by a
message of status.py: `Ready`, or `Unmet`, after which another `Began` may follow. When the command line is gone without
a `Ready`, the session removes what the last `Began` named.
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


class NotCreated(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The agent of the last `Began` was refused: there is nothing to remove."""


class Meet(msgspec.Struct, frozen=True, tag=True, array_like=True, kw_only=True):
    """The agent of the last `Began` is on its way, in this pod: try to connect to it, from now on."""

    pod: str


class Runs(msgspec.Struct, frozen=True, tag=True, array_like=True, kw_only=True):
    """The container of the agent that is being met runs: from now on, what keeps it from being met counts."""

    patience: float
    """Seconds within which it has to listen."""


class Leave(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The agent that is being met comes to nothing: stop trying. It is answered as `Meet` is, unless that was."""


Instruction = Began | NotCreated | Meet | Runs | Leave
"""The session's side of the status socket."""
