"""A port-forward over real TLS and a real websocket: bytes, ends, refusals, slow readers on either side."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from certificates import Authority
from forward_server import CHANNELS, SPDY, ForwardServer, Port, Program, forward_server
from mirrord_cli.session.access import Access
from mirrord_cli.session.forward.driver import ForwardStream, PodPort
from mirrord_cli.session.reaching.machine import ForwardFailed
from proxies import proxy_server
from streams import exactly

AUTHORITY = Authority()
BIG = bytes(range(256)) * (8 << 12)  # 8 MiB
ECHO, SINK, SOURCE, LAST, ODD = 7, 9, 19, 20, 21
hold = threading.Event()


def echo(port: Port) -> None:
    while data := port.receive():
        port.send(data)


def sink(port: Port) -> None:
    hold.wait(10)
    port.send(port.exactly(len(BIG))[-4:])


def source(port: Port) -> None:
    for start in range(0, len(BIG), 32 << 10):
        port.send(BIG[start : start + (32 << 10)])
    port.receive()


def last(port: Port) -> None:
    port.send(b"last words")


def odd(port: Port) -> None:
    port.socket.send("text")
    port.receive()


@pytest.fixture(params=[SPDY, CHANNELS])
def server(request: pytest.FixtureRequest) -> Iterator[ForwardServer]:
    hold.clear()
    programs: dict[int, Program] = {ECHO: echo, SINK: sink, SOURCE: source, LAST: last, ODD: odd}
    with forward_server(programs, AUTHORITY.server(), request.param) as found:
        yield found


@asynccontextmanager
async def open_forward(access: Access, namespace: str, pod: str, port: int) -> AsyncIterator[ForwardStream]:
    async with PodPort(access, namespace, pod, port) as way, await way.connect() as stream:
        yield stream


def access(to: ForwardServer, **values: object) -> Access:
    return Access(**({"server": to.url, "authorities": AUTHORITY.pem} | values))  # type: ignore[arg-type]


def test_bytes_go_both_ways(server: ForwardServer) -> None:
    async def main() -> None:
        async with open_forward(access(server), "shop", "web", ECHO) as stream:
            await stream.send_all(b"hello")
            assert await exactly(stream, 5) == b"hello"
            async with trio.open_nursery() as nursery:
                nursery.start_soon(stream.send_all, BIG)
                assert await exactly(stream, len(BIG)) == BIG

    trio.run(main)
    assert server.ended.wait(10)
    assert server.asked[0].path == f"/api/v1/namespaces/shop/pods/web/portforward?ports={ECHO}"
    assert server.offered == [SPDY, CHANNELS]


def test_what_is_asked(server: ForwardServer) -> None:
    headers = (("Authorization", "Bearer t"), ("Impersonate-Group", "a"), ("Impersonate-Group", "b"))

    async def main() -> None:
        async with open_forward(access(server, server=server.url + "/k8s/c-1", headers=headers), "a/b", "c?", ECHO):
            pass

    trio.run(main)
    asked = server.asked[0]
    assert asked.path == f"/k8s/c-1/api/v1/namespaces/a%2Fb/pods/c%3F/portforward?ports={ECHO}"
    assert asked.headers["Authorization"] == "Bearer t"
    assert asked.headers.get_all("Impersonate-Group") == ["a", "b"]
    assert asked.headers["Host"] == server.url.removeprefix("https://")


def test_a_few_bytes_at_a_time(server: ForwardServer) -> None:
    async def main() -> None:
        async with open_forward(access(server), "shop", "web", LAST) as stream:
            assert await stream.receive_some(4) == b"last"
            assert await stream.receive_some(1) == b" "
            assert await stream.receive_some() == b"words"
            assert await stream.receive_some() == b""
            assert await stream.receive_some() == b""
            with pytest.raises(trio.BrokenResourceError, match="has ended"):
                await stream.send_all(b"x")

    trio.run(main)


def test_who_does_not_take_what_comes_holds_the_pod_up(server: ForwardServer) -> None:
    async def main() -> None:
        async with open_forward(access(server), "shop", "web", SOURCE) as stream:
            assert await stream.receive_some(1) == BIG[:1]
            await trio.testing.wait_all_tasks_blocked(0.1)
            assert len(stream._came) < 1 << 20
            assert await exactly(stream, len(BIG) - 1) == BIG[1:]

    trio.run(main)


def test_a_pod_that_does_not_take_what_goes_holds_us_up(server: ForwardServer) -> None:
    async def main() -> None:
        async with open_forward(access(server), "shop", "web", SINK) as stream, trio.open_nursery() as nursery:
            sent = trio.Event()

            async def send() -> None:
                await stream.send_all(BIG)
                sent.set()

            nursery.start_soon(send)
            await trio.testing.wait_all_tasks_blocked(0.1)
            assert not sent.is_set()
            hold.set()
            await sent.wait()
            assert await exactly(stream, 4) == BIG[-4:]

    trio.run(main)


def test_nobody_listens(server: ForwardServer) -> None:
    async def main() -> None:
        async with open_forward(access(server), "shop", "web", 1) as stream:
            with pytest.raises(trio.BrokenResourceError, match="nobody listens on the port"):
                await stream.receive_some()
            assert stream.unheard
            with pytest.raises(trio.BrokenResourceError, match="nobody listens"):
                await stream.send_all(b"x")

    trio.run(main)


def test_a_server_that_breaks_the_rules(server: ForwardServer) -> None:
    async def main() -> None:
        with pytest.raises((trio.BrokenResourceError, ForwardFailed), match="sent text"):
            async with open_forward(access(server), "shop", "web", ODD) as stream:
                await stream.receive_some()

    trio.run(main)


@pytest.mark.parametrize(
    ("status", "message", "text", "step"),
    [
        (
            403,
            'pods "web" is forbidden: User "u" cannot get',
            "doesn't let you connect to pod web: pods",
            "portforward",
        ),
        (404, 'pods "web" not found', 'connect to pod web: pods "web" not found', "It is gone"),
        (401, "Unauthorized", "doesn't let you connect to pod web: Unauthorized", "Log in"),
    ],
)
def test_refusals(server: ForwardServer, status: int, message: str, text: str, step: str) -> None:
    server.refusals = [(status, message)]

    async def main() -> None:
        with pytest.raises(ForwardFailed) as caught:
            async with open_forward(access(server), "shop", "web", ECHO):
                pass
        assert text in caught.value.text
        assert step in caught.value.next_step

    trio.run(main)
    assert len(server.asked) == 1


def test_what_passes_and_what_is_absent(server: ForwardServer) -> None:
    server.refusals = [
        (503, "starting"),
        (500, "error dialing backend"),
        (404, "no pod"),
        (400, "no host"),
        (403, "no"),
    ]

    async def main() -> None:
        async with PodPort(access(server), "shop", "web", LAST) as way:
            for passing, absent in ((1, 0), (1, 0), (0, 1), (0, 1), (0, 0)):
                with pytest.raises(ForwardFailed) as caught:
                    await way.connect()
                assert (caught.value.passing, caught.value.absent) == (passing, absent)
            stream = await way.connect()
            assert await exactly(stream, 10) == b"last words"

    trio.run(main)


def test_a_server_that_speaks_something_else() -> None:
    async def main() -> None:
        with (
            forward_server({ECHO: echo}, protocol="") as server,
            pytest.raises(ForwardFailed, match="speaks another protocol"),
        ):
            async with open_forward(Access(server=server.url), "shop", "web", ECHO):
                pass

    trio.run(main)


def test_by_a_proxy(server: ForwardServer) -> None:
    async def main() -> None:
        with proxy_server("http", "al:pw") as proxy:
            async with open_forward(access(server, proxy=proxy.url), "shop", "web", ECHO) as stream:
                await stream.send_all(b"hello")
                assert await exactly(stream, 5) == b"hello"
            assert len(proxy.tunnels) == 1

    trio.run(main)


def test_closed_is_closed(server: ForwardServer) -> None:
    async def main() -> None:
        async with open_forward(access(server), "shop", "web", ECHO) as stream:
            await stream.wait_send_all_might_not_block()
            await stream.aclose()
            for call in (lambda: stream.send_all(b"x"), stream.receive_some, stream.wait_send_all_might_not_block):
                with pytest.raises(trio.ClosedResourceError):
                    await call()

    trio.run(main)


def test_closing_ends_who_receives(server: ForwardServer) -> None:
    async def main() -> None:
        async def receive(stream: ForwardStream) -> None:
            with pytest.raises(trio.ClosedResourceError):
                await stream.receive_some()

        async with open_forward(access(server), "shop", "web", ECHO) as stream, trio.open_nursery() as nursery:
            nursery.start_soon(receive, stream)
            await trio.testing.wait_all_tasks_blocked(0.05)
            await stream.aclose()

    trio.run(main)


def test_cancelled_while_it_opens() -> None:
    async def main() -> None:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        with trio.move_on_after(0.1) as scope:
            async with open_forward(Access(server=url), "shop", "web", ECHO):
                pass
        assert scope.cancelled_caught
        await listeners[0].aclose()

    trio.run(main)
