"""Where a connection goes, and what an error of a datagram means for its socket. No I/O."""

from __future__ import annotations

import errno

from mirrord_agent.names.numeric import unmapped
from mirrord_protocol.network_values import Address

PATIENCE = 150.0
"""Seconds for a connection to be established; Linux itself gives up after 127 unless it was told otherwise."""
RETRY = (0.005, 0.1)
"""Seconds, at first and at most, between two tries of a Unix socket whose queue is full: the kernel doesn't tell when."""
QUEUE = 64
"""Datagrams that wait for a socket to take them; what is more is lost, as in any queue of a network."""
LOST = frozenset({errno.EMSGSIZE, errno.EAGAIN, errno.ENOBUFS, errno.EPERM, errno.EACCES, errno.EINVAL})
"""Errors about one datagram alone: it didn't leave, the next one may."""


def destination(to: Address) -> Address:
    """Return where to connect to: an IPv4-mapped address means the IPv4 one, also where there is no IPv6."""
    return Address(unmapped(to.host), to.port, 0 if len(unmapped(to.host)) == 4 else to.scope)


def is_own(local: object, peer: object) -> bool:
    """Whether a connection to a port of this machine met itself: nobody listens there, and its own port was chosen."""
    return local == peer


def ends_socket(number: int, *, connected: bool) -> bool:
    """Whether an error ends a socket of datagrams: what ICMP says of the one peer of a connected one."""
    return connected and number not in LOST
