"""Sockets and their addresses, against the system's own."""

from __future__ import annotations

import errno
import os
import socket

import pytest
import trio

from mirrord_agent.kernel.layouts import SOCKET_MARK
from mirrord_agent.sockets.driver import Sockets, family_of, from_system, reach, to_system
from mirrord_protocol.network_values import NOWHERE, Address, UnixAddress

V4 = Address(bytes([127, 0, 0, 1]), 80)
V6 = Address(bytes(15) + b"\1", 443, 7)


def test_a_socket_never_waits_and_is_no_childs() -> None:
    with Sockets(marked=False).open(socket.AF_INET, socket.SOCK_DGRAM) as made:
        assert not made.get_inheritable()
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_MARK) == 0
        with pytest.raises(BlockingIOError):
            made.recv(1)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_mark() -> None:
    for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX):
        with Sockets(marked=True).open(family, socket.SOCK_STREAM) as made:
            mark = made.getsockopt(socket.SOL_SOCKET, socket.SO_MARK)
            assert mark == (0 if family == socket.AF_UNIX else SOCKET_MARK)


def test_reaching_and_not_reaching() -> None:
    async def block() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            to = listener.getsockname()
            for expected in (0, errno.ECONNREFUSED):
                with Sockets(marked=False).open(socket.AF_INET, socket.SOCK_STREAM) as made:
                    assert await reach(made, to) == expected
                listener.close()

    trio.run(block)


def test_a_family_that_is_none() -> None:
    with pytest.raises(OSError) as caught:
        family_of(NOWHERE)
    assert caught.value.errno == errno.EAFNOSUPPORT
    with pytest.raises(OSError):
        Sockets(marked=False).open(77, socket.SOCK_STREAM)


def test_addresses_to_and_fro() -> None:
    assert family_of(V4) == socket.AF_INET
    assert to_system(V4, socket.AF_INET) == ("127.0.0.1", 80)
    assert to_system(V4, socket.AF_INET6) == ("::ffff:127.0.0.1", 80, 0, 0)
    assert to_system(V6, socket.AF_INET6) == ("::1", 443, 0, 7)
    for family, address in ((socket.AF_INET, V4), (socket.AF_INET6, V6)):
        assert from_system(family, to_system(address, family)) == address
    assert from_system(socket.AF_INET6, ("fe80::1%lo", 1, 0, 1)) == Address(b"\xfe\x80" + bytes(13) + b"\1", 1, 1)
    assert from_system(socket.AF_UNIX, "/run/\udcff") == UnixAddress(b"/run/\xff")
    assert from_system(socket.AF_UNIX, b"\0name") == UnixAddress(b"\0name")
    assert from_system(socket.AF_UNIX, "") == UnixAddress(b"")
