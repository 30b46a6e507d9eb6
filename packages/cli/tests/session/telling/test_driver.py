"""The status socket: both ways, and a command line that is gone."""

from __future__ import annotations

import os
import socket
from collections.abc import Awaitable, Callable

import pytest
import trio

from mirrord_cli.session.framed import FrameBroken, Reader, frame
from mirrord_cli.session.instructions import Meet
from mirrord_cli.session.status import Message, Progress, Unmet
from mirrord_cli.session.telling.driver import Teller

MEET = Meet(pod="a")


def run(script: Callable[[Teller, socket.socket], Awaitable[None]]) -> None:
    async def inside() -> None:
        ours, its = socket.socketpair()
        with ours, Teller(its.detach()) as teller:
            await script(teller, ours)

    trio.run(inside)


def test_it_tells_and_hears() -> None:
    async def script(teller: Teller, ours: socket.socket) -> None:
        data = frame(MEET) * 2
        ours.sendall(data[:7])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(teller.tell, Progress("waiting"))
            with trio.move_on_after(0.01) as brief:
                await teller.hear()
            assert brief.cancelled_caught
            ours.sendall(data[7:])
            assert [await teller.hear(), await teller.hear()] == [MEET, MEET]
        await teller.tell(Unmet("cluster", "no", "yes"))
        ours.shutdown(socket.SHUT_WR)
        assert await teller.hear() is None
        assert Reader[Message](Message).feed(ours.recv(1 << 16)) == [Progress("waiting"), Unmet("cluster", "no", "yes")]

    run(script)


def test_a_command_line_that_is_gone() -> None:
    async def script(teller: Teller, ours: socket.socket) -> None:
        await teller.tell(Progress("unread, so that closing resets"))
        ours.close()
        await teller.tell(Progress("nobody hears it"))
        assert await teller.hear() is None

    run(script)


def test_a_stranger() -> None:
    async def script(teller: Teller, ours: socket.socket) -> None:
        ours.sendall(b"\xff" * 8)
        with pytest.raises(FrameBroken):
            await teller.hear()

    run(script)


def test_a_descriptor_travels() -> None:
    async def script(teller: Teller, ours: socket.socket) -> None:
        table = os.memfd_create("table")
        await teller.tell(Progress("with it"), table)
        _, [got], _, _ = socket.recv_fds(ours, 1 << 16, 4)
        assert os.fstat(got).st_ino == os.fstat(table).st_ino
        os.close(got)
        os.close(table)

    run(script)
