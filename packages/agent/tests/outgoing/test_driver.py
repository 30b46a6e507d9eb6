"""Connections through an agent's service, to sockets of the test's own: data, ends, errors, many at once."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

from agent_kit import IS_ROOT, NOBODY, failing, play, start_target
from agent_service import serve
from mirrord_agent.outgoing.driver import _reach_tcp
from mirrord_agent.sockets.driver import Sockets
from mirrord_protocol.client import Client, Connection
from mirrord_protocol.network_values import Address, UnixAddress
from network_kit import killed_after

LOOPBACK4 = bytes([127, 0, 0, 1])
LOOPBACK6 = bytes(15) + b"\1"
FAMILIES = [(socket.AF_INET, "127.0.0.1", LOOPBACK4), (socket.AF_INET6, "::1", LOOPBACK6)]


@contextmanager
def listening(
    family: int = socket.AF_INET, host: str | bytes = "127.0.0.1", backlog: int = 128
) -> Iterator[socket.socket]:
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.bind(host if family == socket.AF_UNIX else (host, 0))
        listener.listen(backlog)
        listener.settimeout(30)
        yield listener


class Received:
    """What comes to our end of a connection."""

    def __init__(self, connection: Connection) -> None:
        self.data = bytearray()
        self.ended = trio.Event()
        self._connection = connection
        connection.pour_into(self._take)

    def _take(self, chunks: object, end: bool) -> None:
        for chunk in chunks:  # type: ignore[attr-defined]
            self.data += chunk
            self._connection.took(len(chunk))
        if end:
            self.ended.set()


async def send(connection: Connection, data: bytes, *, end: bool = False) -> None:
    view = memoryview(data)
    while view:
        if room := connection.room():
            connection.send(view[:room], end=end and room >= len(view))
            view = view[room:]
        else:
            await connection.wait_for_room()
            assert not connection.over


def accept(listener: socket.socket) -> trio.SocketStream:
    accepted, _ = listener.accept()
    accepted.setblocking(False)
    return trio.SocketStream(trio.socket.from_stdlib_socket(accepted))


def run(block: Callable[[Client], Awaitable[None]], tmp_path: Path) -> None:
    serve(tmp_path, block)


# ---------------------------------------------------------------------------------------------- TCP


@pytest.mark.parametrize(("family", "text", "host"), FAMILIES)
def test_data_both_ways(family: int, text: str, host: bytes, tmp_path: Path) -> None:
    async def block(client: Client) -> None:
        with listening(family, text) as listener:
            port = listener.getsockname()[1]
            connection = await client.connect(Address(host, port))
            accepted = accept(listener)
            assert connection.peer == Address(host, port)
            assert connection.local == Address(host, accepted.socket.getpeername()[1])
            received = Received(connection)
            connection.send(b"hello")
            assert await accepted.receive_some() == b"hello"
            await accepted.send_all(b"good day")
            await accepted.send_eof()
            await received.ended.wait()
            assert received.data == b"good day"
            assert not connection.over  # the other half is open
            connection.send(b"bye", end=True)
            assert await accepted.receive_some() == b"bye"
            assert await accepted.receive_some() == b""
            await connection.wait_over()
            assert connection.failure is None
            await accepted.aclose()

    run(block, tmp_path)


def test_an_unspecified_and_a_mapped_address(tmp_path: Path) -> None:
    async def block(client: Client) -> None:
        with listening() as listener:
            port = listener.getsockname()[1]
            for host in (bytes(4), bytes(10) + b"\xff\xff" + LOOPBACK4):
                connection = await client.connect(Address(host, port))
                assert connection.peer == Address(LOOPBACK4, port)
                connection.reset()

    run(block, tmp_path)


def test_the_targets_own_errors(tmp_path: Path) -> None:
    async def block(client: Client) -> None:
        with listening() as listener:
            port = listener.getsockname()[1]
        assert await failing(client.connect(Address(LOOPBACK4, port))) == "ECONNREFUSED"
        assert await failing(client.connect(Address(LOOPBACK6, port))) == "ECONNREFUSED"
        assert await failing(client.connect(Address(bytes([255] * 4), 80))) in {"ENETUNREACH", "EACCES"}
        assert await failing(client.connect(Address(b"\xfe\x80" + bytes(13) + b"\1", 80))) == "EINVAL"  # no scope
        assert await failing(client.connect(Address(b"", 80))) == "EAFNOSUPPORT"

    run(block, tmp_path)


def test_a_reset_either_way(tmp_path: Path) -> None:
    async def block(client: Client) -> None:
        with listening() as listener:
            to = Address(LOOPBACK4, listener.getsockname()[1])
            connection = await client.connect(to)
            accepted = accept(listener)
            connection.reset()
            with pytest.raises(trio.BrokenResourceError):
                await accepted.receive_some()
            await accepted.aclose()
            connection = await client.connect(to)
            accepted = accept(listener)
            accepted.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            await accepted.aclose()
            await connection.wait_over()
            assert connection.failure and connection.failure.errno == "ECONNRESET"

    run(block, tmp_path)


@pytest.mark.parametrize(("family", "text"), [each[:2] for each in FAMILIES])
def test_an_agent_that_is_killed_when_it_has_connected(family: int, text: str) -> None:
    """It had no time to do anything more to the connection: that is reset all the same, not ended."""
    with listening(family, text) as listener:
        to = listener.getsockname()
        killed_after(
            "connect_ex", lambda: trio.run(_reach_tcp, Sockets(marked=False).open(family, socket.SOCK_STREAM), to)
        )
        with listener.accept()[0] as accepted, pytest.raises(ConnectionResetError):
            accepted.recv(1)


def test_megabytes(tmp_path: Path) -> None:
    data = os.urandom(1 << 20) * 5

    async def block(client: Client) -> None:
        with listening() as listener:
            connection = await client.connect(Address(LOOPBACK4, listener.getsockname()[1]))
            accepted, received = accept(listener), Received(connection)
            came = bytearray()

            async def drain() -> None:
                async for part in accepted:
                    came.extend(part)

            async def fill() -> None:
                await accepted.send_all(data)
                await accepted.send_eof()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(drain)
                nursery.start_soon(fill)
                await send(connection, data, end=True)
                await received.ended.wait()
            assert came == data
            assert received.data == data
            await connection.wait_over()
            await accepted.aclose()

    run(block, tmp_path)


def test_a_dial_that_is_given_up(tmp_path: Path) -> None:
    """A listener whose queue is full never answers; whoever doesn't want to wait any more leaves nothing behind."""

    async def block(client: Client) -> None:
        with listening(backlog=0) as listener, socket.socket() as filler:
            filler.connect(listener.getsockname())
            to = Address(LOOPBACK4, listener.getsockname()[1])
            with trio.move_on_after(0.1) as given_up:
                await client.connect(to)
            assert given_up.cancelled_caught
            assert (await client.stat(b"/")).mode  # all else goes on

    run(block, tmp_path)  # which looks for descriptors left open


def test_many_connections_and_one_that_hangs(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(1000, hard // 4)

    async def block(client: Client) -> None:
        with listening(backlog=4096) as listener, listening(backlog=0) as full, socket.socket() as filler:
            filler.connect(full.getsockname())
            to = Address(LOOPBACK4, listener.getsockname()[1])
            kept: list[Connection] = []

            async def connect() -> None:
                kept.append(await client.connect(to))

            async with trio.open_nursery() as slow:
                slow.start_soon(client.connect, Address(LOOPBACK4, full.getsockname()[1]))
                async with trio.open_nursery() as nursery:
                    for _ in range(count):
                        nursery.start_soon(connect)
                assert len(kept) == count
                accepted = [accept(listener) for _ in kept]
                for stream in accepted:
                    await stream.send_all(b"x")
                for connection in kept:
                    received = Received(connection)
                    while not received.data:
                        await trio.lowlevel.checkpoint()
                    connection.reset()
                for stream in accepted:
                    await stream.aclose()
                slow.cancel_scope.cancel()

    try:
        run(block, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_no_descriptors_left(tmp_path: Path) -> None:
    """It is an errno of that call; what there was goes on."""

    async def block(client: Client) -> None:
        with listening() as listener:
            to = Address(LOOPBACK4, listener.getsockname()[1])
            connection = await client.connect(to)
            accepted = accept(listener)
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 1, hard))
            taken: list[int] = []
            try:
                with contextlib.suppress(OSError):
                    while True:
                        taken.append(os.dup(0))
                assert await failing(client.connect(to)) == "EMFILE"
                assert await failing(client.datagrams()) == "EMFILE"
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
                for fd in taken:
                    os.close(fd)
            connection.send(b"still here", end=True)
            assert await accepted.receive_some() == b"still here"
            await accepted.aclose()
            await connection.wait_over()

    run(block, tmp_path)


# ---------------------------------------------------------------------------------------------- Unix sockets


def test_a_path_below_the_root(tmp_path: Path) -> None:
    """Links and dots stay within the target's root."""

    async def block(client: Client) -> None:
        with listening(socket.AF_UNIX, os.fsencode(tmp_path / "socket")) as listener:
            (tmp_path / "link").symlink_to("/socket")
            for path in (b"/socket", b"/link", b"/../../socket"):
                connection = await client.connect(UnixAddress(path))
                accepted = accept(listener)
                assert (connection.local, connection.peer) == (UnixAddress(b""), UnixAddress(path))
                received = Received(connection)
                await accepted.send_all(b"hello")
                connection.send(b"good day", end=True)
                assert await accepted.receive_some() == b"good day"
                await accepted.aclose()
                await received.ended.wait()
                assert received.data == b"hello"
                await connection.wait_over()
        assert await failing(client.connect(UnixAddress(b"/socket"))) == "ECONNREFUSED"
        assert await failing(client.connect(UnixAddress(b"/nothing"))) == "ENOENT"
        assert await failing(client.connect(UnixAddress(b"relative"))) == "EINVAL"
        assert await failing(client.connect(UnixAddress(os.fsencode(tmp_path / "socket")))) == "ENOENT"
        (tmp_path / "file").touch()
        assert await failing(client.connect(UnixAddress(b"/file"))) == "ECONNREFUSED"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
            other.bind(os.fsencode(tmp_path / "datagrams"))
            assert await failing(client.connect(UnixAddress(b"/datagrams"))) == "EPROTOTYPE"

    run(block, tmp_path)


def test_an_abstract_name(tmp_path: Path) -> None:
    async def block(client: Client) -> None:
        name = b"\0mirrord-test-%d" % os.getpid()
        with listening(socket.AF_UNIX, name) as listener:
            connection = await client.connect(UnixAddress(name))
            accepted = accept(listener)
            connection.send(b"hello")
            assert await accepted.receive_some() == b"hello"
            await accepted.aclose()
            connection.reset()
        assert await failing(client.connect(UnixAddress(name))) == "ECONNREFUSED"

    run(block, tmp_path)


def test_a_queue_that_is_full_for_a_while(tmp_path: Path) -> None:
    async def block(client: Client) -> None:
        path = os.fsencode(tmp_path / "socket")
        with listening(socket.AF_UNIX, path, backlog=0) as listener, socket.socket(socket.AF_UNIX) as filler:
            filler.connect(path)
            async with trio.open_nursery() as nursery:

                async def connect() -> None:
                    (await client.connect(UnixAddress(b"/socket"))).reset()
                    nursery.cancel_scope.cancel()

                nursery.start_soon(connect)
                await client.stat(b"/")
                listener.accept()[0].close()
                await trio.sleep_forever()

    run(block, tmp_path)


@pytest.mark.skipif(not IS_ROOT, reason="needs root")
def test_a_socket_that_the_targets_user_may_not_use(tmp_path_factory: pytest.TempPathFactory) -> None:
    async def block(client: Client) -> None:
        assert await failing(client.connect(UnixAddress(os.fsencode(folder / "shut")))) == "EACCES"
        (await client.connect(UnixAddress(os.fsencode(folder / "open")))).reset()

    folder = Path("/tmp") / f"mirrord-{os.getpid()}"
    folder.mkdir()
    try:
        with (
            listening(socket.AF_UNIX, os.fsencode(folder / "shut")),
            listening(socket.AF_UNIX, os.fsencode(folder / "open")),
            start_target(f"--user={NOBODY}") as target,
        ):
            (folder / "shut").chmod(0o700)
            (folder / "open").chmod(0o777)
            play(target, block)
    finally:
        for name in ("shut", "open"):
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()
