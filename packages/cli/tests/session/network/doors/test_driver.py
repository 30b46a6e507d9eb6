"""Listeners for one connection of one socket: strangers are turned away."""

from __future__ import annotations

import os
import socket

import pytest
import trio

from mirrord_cli.session.network.doors.driver import Door
from mirrord_cli.session.network.kernel.driver import Kernel
from session_agent import inode


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_only_the_socket_that_asked(family: socket.AddressFamily) -> None:
    async def run() -> None:
        kernel, door = Kernel(), Door(family)
        host = "127.0.0.1" if family == socket.AF_INET else "::1"
        with socket.socket(family) as stranger, socket.socket(family) as expected:
            stranger.connect((host, door.name))
            expected.connect((host, door.name))
            with await door.let_in(kernel, inode(expected), 12345) as end:
                assert end.getpeername() == expected.getsockname()
            with pytest.raises(ConnectionResetError):
                stranger.recv(1)
        door.close()
        kernel.close()

    trio.run(run)


@pytest.mark.parametrize("ours", [True, False])
def test_only_the_user(ours: bool) -> None:
    async def run() -> None:
        door, user = Door(socket.AF_UNIX), os.geteuid() + (not ours)
        with socket.socket(socket.AF_UNIX) as end:
            end.connect(door.name)  # type: ignore[arg-type]
            with trio.move_on_after(5 if ours else 0.1) as scope:
                with await door.let_in(Kernel(), 0, user) as other:
                    other.send(b"in")
                    assert end.recv(5) == b"in"
            assert scope.cancelled_caught is not ours
        door.close()

    trio.run(run)


def test_names_cannot_be_guessed() -> None:
    doors = [Door(socket.AF_UNIX) for _ in range(2)]
    names = [door.name for door in doors]
    for door in doors:
        door.close()

    assert names[0] != names[1]
    assert all(isinstance(name, bytes) and name.startswith(b"\0mirrord-stream-") and len(name) > 40 for name in names)
