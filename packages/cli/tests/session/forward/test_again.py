"""Connections to a port, one after the other until somebody listens there: on the same way where that can be."""

from __future__ import annotations

import pytest
import trio

from certificates import Authority
from forward_server import CHANNELS, SPDY, Nobody, Port, SpdyPort, forward_server
from mirrord_cli.session.access import Access
from mirrord_cli.session.forward.driver import PodPort
from mirrord_cli.session.reaching.machine import ForwardFailed
from streams import exactly

AUTHORITY = Authority()
PORT = 7


def echo(port: Port) -> None:
    while data := port.receive():
        port.send(data)


def last(port: Port) -> None:
    port.send(b"last words")


@pytest.mark.parametrize(("protocol", "asked"), [(SPDY, 1), (CHANNELS, 4)])
def test_a_port_that_comes(protocol: str, asked: int) -> None:
    """Nobody listens at first: it is tried again on the same way, where the protocol lets that be."""
    times = iter(range(10))

    def later(port: Port) -> None:
        if next(times) < 3:
            raise Nobody
        assert port.receive() == b"hello"
        last(port)

    async def main() -> None:
        with forward_server({PORT: later}, protocol=protocol) as server:
            async with PodPort(Access(server=server.url), "shop", "web", PORT) as way:
                for _ in range(3):
                    async with await way.connect() as stream:
                        with pytest.raises(trio.BrokenResourceError):
                            await stream.receive_some()
                        assert stream.unheard
                    with pytest.raises(trio.ClosedResourceError):
                        await stream.send_all(b"x")
                async with await way.connect() as stream:
                    await stream.send_all(b"hello")
                    assert await exactly(stream, 10) == b"last words"
            assert len(server.asked) == asked

    trio.run(main)


def test_a_way_that_ends_while_nobody_listens() -> None:
    """Another one is made."""
    times = iter(range(10))

    def odd_then_last(port: Port) -> None:
        match next(times):
            case 0:
                raise Nobody
            case 1:
                port.socket.close()
            case _:
                last(port)

    async def main() -> None:
        with forward_server({PORT: odd_then_last}) as server:
            async with PodPort(Access(server=server.url), "shop", "web", PORT) as way:
                for _ in range(2):
                    async with await way.connect() as stream:
                        with pytest.raises(trio.BrokenResourceError):
                            await stream.receive_some()
                        assert stream.unheard
                async with await way.connect() as stream:
                    assert await exactly(stream, 10) == b"last words"
            assert len(server.asked) == 2

    trio.run(main)


def test_a_port_to_which_something_was_sent() -> None:
    """The server didn't say at once that nobody listens; what was sent is still in its way, so another one is made."""

    def slow(port: Port) -> None:
        assert port.receive() == b"hello"
        raise Nobody

    async def main() -> None:
        with forward_server({PORT: slow}) as server:
            async with PodPort(Access(server=server.url), "shop", "web", PORT) as way:
                for _ in range(2):
                    async with await way.connect() as stream:
                        assert not stream.unheard
                        await stream.send_all(b"hello")
                        with pytest.raises(trio.BrokenResourceError):
                            await stream.receive_some()
                        assert (stream.unheard, stream.reusable) == (True, False)
            assert len(server.asked) == 2

    trio.run(main)


def test_cancelled_once_somebody_listens() -> None:
    """What it came to is unknown, so the next one has a way of its own."""

    async def main() -> None:
        with forward_server({PORT: echo}) as server:
            async with PodPort(Access(server=server.url), "shop", "web", PORT) as way:
                async with await way.connect() as stream:
                    await stream.send_all(b"x")
                    with trio.CancelScope() as scope:
                        scope.cancel()
                        await stream.receive_some()
                assert not way.kept
                async with await way.connect() as stream:
                    await stream.send_all(b"y")
                    assert await exactly(stream, 1) == b"y"
            assert len(server.asked) == 2

    trio.run(main)


def test_bytes_before_the_acceptance() -> None:
    """The streams' answers and what the port says come in any order; nothing of it is lost."""

    def talkative(port: Port) -> None:
        assert isinstance(port, SpdyPort)
        for kind in ("data", "error"):
            port.send(b"first")
            port.reply(kind)
            port.send(b"second")
        port.receive()

    async def main() -> None:
        with forward_server({PORT: talkative}, silent=True) as server:
            async with PodPort(Access(server=server.url), "shop", "web", PORT) as way:
                assert await exactly(await way.connect(), 22) == b"firstsecond" * 2

    trio.run(main)


@pytest.mark.parametrize("secure", [True, False])
def test_a_way_that_is_cut_while_nobody_listens(secure: bool) -> None:
    """Without a goodbye: the port has no part in it, whatever the kernel or TLS say of the connection."""
    times = iter(range(10))

    def cut_then_last(port: Port) -> None:
        match next(times):
            case 0:
                raise Nobody
            case 1:
                port.cut()
            case _:
                last(port)

    async def main() -> None:
        context = AUTHORITY.server() if secure else None
        with forward_server({PORT: cut_then_last}, context) as server:
            async with PodPort(Access(server=server.url, authorities=AUTHORITY.pem), "shop", "web", PORT) as way:
                for _ in range(2):
                    async with await way.connect() as stream:
                        assert stream.unheard
                async with await way.connect() as stream:
                    assert await exactly(stream, 10) == b"last words"
            assert len(server.asked) == 2

    trio.run(main)


def test_a_way_that_is_cut_at_once() -> None:
    async def main() -> None:
        with forward_server({PORT: Port.cut}, AUTHORITY.server()) as server:
            async with PodPort(Access(server=server.url, authorities=AUTHORITY.pem), "shop", "web", PORT) as way:
                with pytest.raises(ForwardFailed, match="There is no connection to pod web") as caught:
                    await way.connect()
                assert caught.value.passing

    trio.run(main)
