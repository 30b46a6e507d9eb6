"""Connections carried on to the target, and their copies, over real sockets; the session's end is played."""

from __future__ import annotations

import errno
import select
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest
import trio
import trio.testing

from mirrord_agent.incoming.mirror import driver
from mirrord_agent.incoming.mirror.driver import connect_onward, pump
from mirrord_agent.incoming.mirror.machine import AHEAD, TOO_SLOW, Copy
from mirrord_agent.kernel.layouts import SOCKET_MARK
from mirrord_protocol.network_values import Address
from mirrord_protocol.values import Failure, FailureKind
from network_kit import killed_after, play

RESET = Failure(FailureKind.SYSTEM, "ECONNRESET")


class FakeSink:
    """A session's end of a copy that takes so many bytes."""

    def __init__(self, room: int) -> None:
        self.left = room
        self.got = bytearray()
        self.ended = False
        self.failure: Failure | None = None

    def room(self) -> int:
        return self.left

    def send(self, data: bytes, *, end: bool = False) -> None:
        assert len(data) <= self.left and not self.over
        self.left -= len(data)
        self.got += data
        self.ended = end

    def reset(self, failure: Failure = RESET) -> None:
        self.failure = failure

    @property
    def over(self) -> bool:
        return self.failure is not None or self.ended


# ---------------------------------------------------------------------------------------------- copies


def test_a_copy_is_in_order_and_ends() -> None:
    sink = FakeSink(10)
    copy = Copy(sink)
    for data in (b"0123456", b"789abc", b"def"):
        copy.put(data)
    copy.end()
    for got, waiting in ((b"0123456789", True), (b"0123456789abcd", True), (b"0123456789abcdef", False)):
        assert (bytes(sink.got), copy.waiting, sink.ended) == (got, waiting, not waiting)
        sink.left = 4
        copy.flush() if waiting else copy.cut()
    assert sink.failure is None


def test_a_copy_that_is_taken_at_once_ends_at_once() -> None:
    sink = FakeSink(10)
    copy = Copy(sink)
    copy.end()
    assert sink.ended


def test_a_session_that_is_too_slow_loses_the_copy() -> None:
    sink = FakeSink(0)
    copy = Copy(sink)
    states = []
    for data in (bytes(AHEAD), b"x", b"more"):
        copy.put(data)
        states.append((copy.waiting, copy.dropped, sink.failure))
    copy.end()
    copy.cut()

    assert states == [(True, False, None), (False, True, TOO_SLOW), (False, True, TOO_SLOW)]
    assert TOO_SLOW.kind == FailureKind.LIMIT and "256 KiB" in TOO_SLOW.text
    assert sink.failure == TOO_SLOW and not sink.got


def test_a_broken_connection_breaks_the_copy() -> None:
    sink = FakeSink(3)
    copy = Copy(sink)
    copy.put(b"12345")
    copy.cut()
    assert sink.failure == RESET and sink.got == b"123" and not copy.waiting


# ---------------------------------------------------------------------------------------------- connections


class Played:
    """A client and a target, with a pump between them."""

    def __init__(self, room: int) -> None:
        self.client, self._near = _pair()
        self._far, self.target = _pair()
        self.sink = FakeSink(room)
        self.fed: list[Copy] = []
        self.leaving = trio.Event()
        for each in (self._near, self._far):
            each.setblocking(False)
        for each in (self.client, self.target):
            each.settimeout(10)

    async def pump(self) -> None:
        await pump(self._near, self._far, Copy(self.sink), self.fed.append, self.leaving)
        assert self._near.fileno() == self._far.fileno() == -1


def _pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return socket.create_connection(server.getsockname()), server.accept()[0]


def played(block: Callable[[Played], None], room: int = 1 << 30) -> Played:
    """Run a block of plain calls in a thread while the pump runs; the pump must end by what the block does."""

    async def run() -> Played:
        play = Played(room)
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(play.pump)
                await trio.to_thread.run_sync(block, play)
        for each in (play.client, play.target):
            each.close()
        return play

    return trio.run(run)


def test_bytes_and_ends_of_both_sides() -> None:
    def block(play: Played) -> None:
        play.target.sendall(b"banner")  # it speaks first
        assert play.client.recv(99) == b"banner"
        play.client.sendall(b"question")
        assert play.target.recv(99) == b"question"
        play.client.shutdown(socket.SHUT_WR)
        assert play.target.recv(99) == b""
        play.target.sendall(b"answer")  # the other half is open
        assert play.client.recv(99) == b"answer"
        play.target.close()
        assert play.client.recv(99) == b""

    play = played(block)
    assert play.sink.got == b"question" and play.sink.ended and play.sink.failure is None


def test_the_target_may_end_first() -> None:
    def block(play: Played) -> None:
        play.target.shutdown(socket.SHUT_WR)
        assert play.client.recv(99) == b""
        play.client.sendall(b"thanks")
        assert play.target.recv(99) == b"thanks"
        play.client.close()
        assert play.target.recv(99) == b""

    assert played(block).sink.ended


def test_what_was_sent_before_the_end_arrives() -> None:
    data = bytes(range(256)) * 20000

    def block(play: Played) -> None:
        play.client.shutdown(socket.SHUT_WR)
        play.target.sendall(data)
        play.target.close()
        got = bytearray()
        while part := play.client.recv(1 << 16):
            got += part
        assert got == data

    played(block)


@pytest.mark.parametrize("who", ["client", "target"])
def test_a_reset_is_passed_on(who: str) -> None:
    def block(play: Played) -> None:
        play.client.sendall(b"question")
        assert play.target.recv(99) == b"question"
        here, there = (play.client, play.target) if who == "client" else (play.target, play.client)
        hang_up(here)
        with pytest.raises(ConnectionResetError):
            there.recv(99)

    play = played(block)
    assert play.sink.got == b"question" and play.sink.failure == RESET


def test_a_session_that_takes_nothing_holds_nobody_up() -> None:
    data = bytes(range(256)) * 8000

    def block(play: Played) -> None:
        for _ in range(2):
            play.client.sendall(data[: 1 << 20])
            got = bytearray()
            while len(got) < 1 << 20:
                got += play.target.recv(1 << 16)
            assert got == data[: 1 << 20]
        play.client.close()
        play.target.close()

    play = played(block, room=1000)
    assert play.sink.got == data[:1000]
    assert play.sink.failure == TOO_SLOW
    assert len(play.fed) == 1


def hang_up(made: socket.socket) -> None:
    made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    made.close()


def test_a_target_that_takes_nothing_holds_the_client_up_but_not_its_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "LOOK", 0.05)

    def block(play: Played) -> None:
        play.client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            while True:
                play.client.send(bytes(1 << 20))
        play.client.settimeout(10)
        play.target.sendall(b"busy")
        assert play.client.recv(99) == b"busy"
        hang_up(play.client)  # nobody reads from it now

    played(block)


def test_a_reset_after_a_half_close(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "LOOK", 0.05)

    def block(play: Played) -> None:
        play.client.shutdown(socket.SHUT_WR)
        assert play.target.recv(9) == b""
        hang_up(play.client)
        waiting = select.poll()
        waiting.register(play.target, 0)
        assert waiting.poll(10000)[0][1] & select.POLLHUP
        with pytest.raises(BrokenPipeError):
            play.target.send(b"x")

    assert played(block).sink.ended


def test_cancelled_both_sides_are_reset() -> None:
    async def run() -> None:
        play = Played(100)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(play.pump)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        for each in (play.client, play.target):
            with pytest.raises(ConnectionResetError):
                each.recv(1)
            each.close()
        assert play.sink.failure == RESET

    trio.run(run)


def test_leaving_it_ends_at_a_quiet_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "QUIET", 0.02)

    def block(play: Played) -> None:
        play.client.sendall(b"question")
        assert play.target.recv(99) == b"question"
        trio.from_thread.run_sync(play.leaving.set)
        play.client.settimeout(0.3)
        with pytest.raises(TimeoutError):  # the answer is still owed
            play.client.recv(99)
        play.client.settimeout(10)
        play.target.sendall(b"answer")
        assert play.client.recv(99) == b"answer"
        assert play.client.recv(99) == play.target.recv(99) == b""

    assert played(block).sink.failure == RESET


# ---------------------------------------------------------------------------------------------- onward


@contextmanager
def server(host: str, family: socket.AddressFamily) -> Iterator[tuple[socket.socket, Address]]:
    with socket.create_server((host, 0), family=family) as made:
        yield made, Address(socket.inet_pton(family, host), made.getsockname()[1])


def in_namespace(block: Callable[[], Awaitable[None]]) -> None:
    play(lambda: trio.run(block), ordinary=True)


@pytest.mark.parametrize(("host", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
def test_the_connection_onward_is_marked(host: str, family: socket.AddressFamily) -> None:
    async def block() -> None:
        with server(host, family) as (made, address):
            onward = await connect_onward(address)
            assert made.accept()[1] == onward.getsockname()
            assert onward.getsockopt(socket.SOL_SOCKET, socket.SO_MARK) == SOCKET_MARK
            onward.close()

    in_namespace(block)


def test_an_agent_that_is_killed_when_it_has_connected() -> None:
    """The target sees a reset, not an end."""

    def block() -> None:
        with server("127.0.0.1", socket.AF_INET) as (made, address):
            killed_after("connect_ex", lambda: trio.run(connect_onward, address))
            with made.accept()[0] as accepted, pytest.raises(ConnectionResetError):
                accepted.recv(1)

    play(block, ordinary=True)


def test_a_target_that_refuses() -> None:
    async def block() -> None:
        with pytest.raises(ConnectionRefusedError):
            await connect_onward(Address(bytes([127, 0, 0, 1]), 80))
        with pytest.raises(OSError) as caught:
            await connect_onward(Address(bytes([192, 0, 2, 1]), 80))
        assert caught.value.errno == errno.ENETUNREACH

    in_namespace(block)
