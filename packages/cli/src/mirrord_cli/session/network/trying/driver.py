"""Tries which address a program's socket could be bound to, with a socket of the session's; ../binding.py proposes them."""

from __future__ import annotations

import errno
import socket

from mirrord_cli.session.network.actions import Attempt, TryBind
from mirrord_protocol.failure import errno_name
from mirrord_protocol.network_values import Address


def try_bind(action: TryBind) -> Address | str:
    """Return the first address that could be bound, with the port that it had then, or the first attempt's errno."""
    first = ""
    for attempt in action.attempts:
        if attempt.after and first not in attempt.after:
            continue
        try:
            return _bind(attempt, datagram=action.datagram, ipv6_only=action.ipv6_only)
        except OSError as error:
            first = first or errno_name(error.errno or errno.EIO)
    return first or "EADDRNOTAVAIL"


def _bind(attempt: Attempt, *, datagram: bool, ipv6_only: bool) -> Address:
    address = attempt.address
    family = socket.AF_INET if len(address.host) == 4 else socket.AF_INET6
    kind = (socket.SOCK_DGRAM if datagram else socket.SOCK_STREAM) | socket.SOCK_CLOEXEC
    with socket.socket(family, kind) as tried:
        if attempt.shared:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        host = socket.inet_ntop(family, address.host)
        if family == socket.AF_INET:
            tried.bind((host, address.port))
        else:
            tried.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, ipv6_only)
            tried.bind((host, address.port, 0, address.scope))
        port = tried.getsockname()[1]
    return Address(address.host, port, address.scope)
