"""Where connections go, and which errors end a socket of datagrams."""

from __future__ import annotations

import errno

from mirrord_agent.outgoing.machine import destination, ends_socket, is_own
from mirrord_protocol.network_values import Address

LOOPBACK = Address(bytes([127, 0, 0, 1]), 80)


def test_destinations() -> None:
    link_local = Address(b"\xfe\x80" + bytes(14), 80, 3)
    assert destination(LOOPBACK) == LOOPBACK
    assert destination(link_local) == link_local
    assert destination(Address(bytes(10) + b"\xff\xff" + LOOPBACK.host, 80, 3)) == LOOPBACK


def test_a_connection_to_itself() -> None:
    assert is_own(("127.0.0.1", 40000), ("127.0.0.1", 40000))
    assert not is_own(("127.0.0.1", 40000), ("127.0.0.1", 40001))


def test_errors_of_datagrams() -> None:
    assert ends_socket(errno.ECONNREFUSED, connected=True)
    assert ends_socket(errno.EHOSTUNREACH, connected=True)
    assert not ends_socket(errno.EMSGSIZE, connected=True)
    assert not ends_socket(errno.ENETUNREACH, connected=False)
