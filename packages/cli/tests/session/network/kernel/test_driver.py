"""What this kernel says of real sockets, asked in both ways."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator

import pytest

from mirrord_cli.session.network.kernel import driver as module
from mirrord_cli.session.network.kernel.driver import ESTABLISHED, LISTEN, Kernel
from session_agent import address_of, inode, listener, own
from session_network import at

NOBODY = at("0.0.0.0:0")


@pytest.fixture(params=[False, True], ids=["netlink", "text"])
def kernel(request: pytest.FixtureRequest) -> Iterator[Kernel]:
    kernel = Kernel()
    kernel._by_text = request.param
    yield kernel
    kernel.close()


@pytest.mark.parametrize(
    ("family", "host", "to"),
    [(socket.AF_INET, "127.0.0.1", "127.0.0.1"), (socket.AF_INET6, "::1", "::1"),
     (socket.AF_INET, "127.0.0.1", "::ffff:127.0.0.1")],
)  # fmt: skip
def test_streams(kernel: Kernel, family: int, host: str, to: str) -> None:
    with listener(family, host) as server, socket.socket(socket.AF_INET6 if ":" in to else family) as client:
        client.connect((to, server.getsockname()[1]))
        found = kernel.stream(own(client), address_of(client.getpeername()))

        assert found and (found.state, found.user, found.inode) == (ESTABLISHED, os.geteuid(), inode(client))
        found = kernel.stream(own(server), NOBODY if family == socket.AF_INET else at("[::]:0"))
        assert found and (found.state, found.inode) == (LISTEN, inode(server))
        listeners = kernel.listeners()
        assert listeners is not None and inode(server) in listeners and inode(client) not in listeners
        name = own(client)
    assert kernel.stream(own=at("127.0.0.1", name.port), peer=at("127.0.0.1:1")) is None


def test_datagrams(kernel: Kernel) -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connected,
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as mapped,
    ):
        ours.bind(("127.0.0.1", 0))
        connected.connect(ours.getsockname())
        mapped.connect(("::ffff:127.0.0.1", ours.getsockname()[1]))
        for theirs in (connected, mapped):
            found = kernel.datagrams(at("127.0.0.1", theirs.getsockname()[1]), own(ours))
            assert found and found.inode == inode(theirs)
        every = kernel.datagram_sockets()
        assert every is not None and {inode(ours), inode(connected), inode(mapped)} <= every
        gone = at("127.0.0.1", connected.getsockname()[1])
        connected.close()
        assert kernel.datagrams(gone, own(ours)) is None


def test_a_kernel_without_the_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_socket(*_: object) -> socket.socket:
        raise OSError(93, "Protocol not supported")

    kernel = Kernel()
    with listener() as server:
        name = own(server)
        monkeypatch.setattr(socket, "socket", no_socket)
        found = kernel.stream(name, NOBODY)
        assert found and found.inode == inode(server)
    kernel.close()


def test_an_answer_that_is_not_whole() -> None:
    """Nothing is concluded from it."""

    class Cut:
        def __init__(self, *answers: bytes) -> None:
            self.answers = list(answers)

        def send(self, _: bytes) -> None:
            pass

        def recv(self, _: int) -> bytes:
            if not self.answers:
                raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS))
            return self.answers.pop(0)

    cut = struct.pack("=IHHII", 20, module.DONE, module.INTERRUPTED, 0, 0) + bytes(4)
    kernel = Kernel()
    kernel._socket = Cut(cut)  # type: ignore[assignment]
    assert kernel.listeners() is None
    assert kernel.datagram_sockets() is None
    assert kernel.stream(NOBODY, NOBODY) is None
