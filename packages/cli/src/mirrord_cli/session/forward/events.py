"""What happens to a port-forward. No I/O; machine.py tells of it, channels.py and spdy.py find it in what a server sends."""

from __future__ import annotations

from dataclasses import dataclass

MOST_SAID = 4096
"""Bytes of an error that are kept."""
REFUSED = b"connection refused"
"""What container runtimes say where nobody listens, in small letters."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The server takes the port-forward."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The server has a connection, and makes one to the port; not all servers say so."""


@dataclass(frozen=True, slots=True)
class Came:
    """Bytes of the port."""

    data: memoryview


@dataclass(frozen=True, slots=True)
class Unheard:
    """Nobody listens on the port."""


@dataclass(frozen=True, slots=True)
class Turned:
    """The server refuses: HTTP's status, and what it says."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing more comes; the reason, or empty if it was the port's end."""

    reason: str = ""


Event = Opened | Accepted | Came | Unheard | Turned | Ended


def failure_of(said: bytes) -> Unheard | Ended:
    """Return what a runtime's error means."""
    if REFUSED in said.lower():
        return Unheard()
    lines = said[:MOST_SAID].decode(errors="replace").strip().splitlines()
    return Ended(lines[0] if lines else "the cluster doesn't say why")
