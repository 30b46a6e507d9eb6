"""Whose a connection to the agent's port is: whether a process beside the target made it, or the node. No I/O.

The session shows its token to whoever listens on the agent's port. In an ephemeral container that may be a process of
the target's that took the port before us, and then speaks to us in the session's place. A port-forward is made by the
node's container runtime, which is root, and not in the pod; so whoever isn't root there has no business with us. A
process that is root in the pod can't be told from it, and has most of what we have.

The kernel's table of connections is described in proc(5), /proc/net/tcp.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

ROOT = 0
GONE = -1
"""For a user: the process has closed its end, and the tables say nothing of who that was."""
MAPPED = bytes(10) + b"\xff\xff"
"""What an IPv4 address begins with where a socket of IPv6 has it (RFC 4291, 2.5.5.2)."""
ALL_IDS = [b"0", b"0", b"4294967295"]
"""The one row of uid_map where all users have their own numbers (user_namespaces(7))."""


def end_of(packed: bytes, port: int) -> bytes:
    """Return an end of a connection as the table has it: words in the machine's byte order, and the port.

    Args:
        packed: The address, in the network's byte order.
        port: The port.
    """
    words = (int.from_bytes(packed[start : start + 4], sys.byteorder) for start in range(0, len(packed), 4))
    return b"%b:%04X" % (b"".join(b"%08X" % word for word in words), port)


def user_in(rows: Iterable[bytes], pairs: Iterable[tuple[bytes, bytes]]) -> int | None:
    """Return the user whose socket has one of these pairs of ends.

    Args:
        rows: The tables'.
        pairs: Its end and ours, for each way in which its socket may have them.

    Returns:
        None if there is neither its row nor ours: then these tables don't have our connections, as in some sandboxes.
    """
    wanted: dict[tuple[bytes, ...], bool] = dict.fromkeys(pairs, True)
    wanted |= {pair[::-1]: False for pair in wanted}
    found: int | None = None
    for row in rows:
        fields = row.split()
        match wanted.get(tuple(fields[1:3])):
            case True:
                user, inode = int(fields[7]), int(fields[9])
                return user if inode else GONE
            case False:
                found = GONE
    return found


def welcome(ours: int, uid_map: bytes, overflow: int) -> frozenset[int]:
    """Return which users may come.

    Args:
        ours: As whom we were started: such a process has nothing to gain.
        uid_map: Which users have numbers here.
        overflow: The number that all others have.
    """
    strange = set[int]() if uid_map.split() == ALL_IDS else {overflow}  # the node's root among them
    return frozenset({ROOT, ours} | strange)
