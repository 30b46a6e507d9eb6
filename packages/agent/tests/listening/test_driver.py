"""An agent's port, over real sockets: the session finds its way in, whoever else comes there."""

from __future__ import annotations

import hashlib
import os
import random
import resource
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
import trio
import trio.testing

from mirrord_agent.listening import driver, machine
from mirrord_agent.log import Log
from mirrord_agent.starting.driver import listen
from mirrord_protocol.client import Client, ConnectionLost, RemoteError, open_client
from mirrord_protocol.framing import Frame, Kind, Lane, encode_frame
from mirrord_protocol.messages import encode_message
from mirrord_protocol.server import Reply
from mirrord_protocol.values import Failure, FailureKind, Hello, ReadLink, Request, Target, Welcome

TOKEN = bytes(range(32))
END = Failure(FailureKind.GONE, None, "the agent was told to end")


class Service:
    """Answers each `readlink` with the path, and forgets nothing since it keeps nothing."""

    async def welcome(self, hello: Hello) -> Welcome:
        return Welcome(target=Target(1, 2, 3, b"name", b"host", b"/"))

    async def handle(self, request_id: int, request: Request, reply: Reply) -> None:
        assert isinstance(request, ReadLink)
        reply.answer(request.path)

    def closed(self, request_id: int) -> None:
        raise AssertionError(request_id)


class Lines(Log):
    """A log that a test looks at."""

    def __init__(self) -> None:
        super().__init__("debug")
        self.lines: list[tuple[str, str, str]] = []
        self.said = trio.Event()

    def __call__(self, level: str, event: str, **values: Any) -> None:
        self.said.set()
        self.lines.append((level, event, values["reason"]))


@dataclass
class Agent:
    """One that listens, in the test's own process."""

    address: tuple[str, int]
    log: Lines = field(default_factory=Lines)
    told: trio.Event = field(default_factory=trio.Event)
    over: trio.Event = field(default_factory=trio.Event)
    ended: Failure | None = None

    async def told_to_end(self) -> Failure:
        await self.told.wait()
        return END

    async def stranger(self) -> trio.SocketStream:
        return await trio.open_tcp_stream(*self.address)

    @asynccontextmanager
    async def session(self, token: bytes = TOKEN, **hello: Any) -> AsyncIterator[Client]:
        async with open_client(await self.stranger(), Hello(token, **hello)) as client:
            yield client

    async def refusal(self, token: bytes = TOKEN, **hello: Any) -> Failure:
        with pytest.raises(RemoteError) as caught:
            async with self.session(token, **hello):
                pass
        return caught.value.failure


def with_agent(block: Callable[[Agent], Awaitable[None]], *, patience: float = 60) -> Agent:
    """Run a block beside an agent that listens, which must have ended when the block has, or be told to."""

    async def run() -> Agent:
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
        listener = listen(port)
        agent = Agent(("127.0.0.1", port))

        async def serve() -> None:
            agent.ended = await driver.serve_first(
                listener,
                origins=None,
                token_digest=hashlib.sha256(TOKEN).digest(),
                service=Service(),
                until=agent.told_to_end,
                told_to_end=agent.told_to_end,
                patience=patience,
                log=agent.log,
            )
            agent.over.set()

        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(serve)
                await block(agent)
        assert listener.fileno() == -1
        return agent

    return trio.run(run)


async def works(client: Client) -> bool:
    return await client.readlink(b"/a") == b"/a"


async def is_closed(stream: trio.SocketStream) -> bool:
    """Wait until nothing more comes."""
    try:
        while await stream.receive_some():
            pass
    except trio.BrokenResourceError:
        pass
    await stream.aclose()
    return True


# ---------------------------------------------------------------------------------------------- the session


def test_the_agent_ends_with_its_session() -> None:
    async def block(agent: Agent) -> None:
        async with agent.session() as client:
            assert await works(client)
        await agent.over.wait()
        with pytest.raises(OSError, match=r"connect"):
            await agent.stranger()

    agent = with_agent(block)
    assert agent.ended and agent.ended.kind == FailureKind.GONE
    assert agent.log.lines == []


def test_a_session_that_came_before_anybody_listened_to_it() -> None:
    """As when all is still being loaded: the kernel takes its connection and its first bytes."""

    async def run() -> None:
        listener = listen(_free_port())
        stream = await trio.open_tcp_stream(*listener.getsockname())
        async with trio.open_nursery() as nursery:

            async def session() -> None:
                async with open_client(stream, Hello(TOKEN)) as client:
                    assert await works(client)

            nursery.start_soon(session)
            await trio.testing.wait_all_tasks_blocked()
            await driver.serve_first(
                listener,
                origins=None,
                token_digest=hashlib.sha256(TOKEN).digest(),
                service=Service(),
                until=trio.sleep_forever,
                told_to_end=trio.sleep_forever,
                patience=60,
                log=Lines(),
            )

    trio.run(run)


def test_a_second_session_is_told_that_there_is_one() -> None:
    async def block(agent: Agent) -> None:
        async with agent.session() as client:
            assert await agent.refusal() == machine.BUSY
            assert (await agent.refusal(bytes(32))).kind == FailureKind.FORBIDDEN
            assert await works(client)

    assert len(with_agent(block).log.lines) == 2


def test_a_session_of_another_version_is_the_session_too() -> None:
    """The token is right, and nobody else will have it: to wait for another would be in vain."""

    async def block(agent: Agent) -> None:
        assert (await agent.refusal(major=99)).kind == FailureKind.UNSUPPORTED
        await agent.over.wait()

    agent = with_agent(block)
    assert agent.ended and agent.ended.kind == FailureKind.UNSUPPORTED


def test_nobody_comes() -> None:
    async def block(agent: Agent) -> None:
        await agent.over.wait()

    assert with_agent(block, patience=0.05).ended == machine.nobody(0.05)


def test_strangers_do_not_make_it_stay() -> None:
    async def block(agent: Agent) -> None:
        assert await is_closed(await agent.stranger())
        await agent.over.wait()

    assert with_agent(block, patience=0.05).ended == machine.nobody(0.05)


@pytest.mark.parametrize("served", [False, True])
def test_it_is_told_to_end(served: bool) -> None:
    async def block(agent: Agent) -> None:
        if not served:
            agent.told.set()
            return
        async with agent.session() as client:
            assert await works(client)
            agent.told.set()
            assert await client.wait_lost() == END
            with pytest.raises(ConnectionLost):
                await client.readlink(b"/a")

    assert with_agent(block).ended == END


# ---------------------------------------------------------------------------------------------- strangers


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: here\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(600),
        bytes(100),
        b"\xff" * 100_000,
        random.Random(11).randbytes(70_000),
    ],
    ids=["http", "tls", "zeros", "ones", "random"],
)
def test_garbage_ends_who_sent_it(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    async def block(agent: Agent) -> None:
        async with agent.session() as client, trio.open_nursery() as nursery:
            assert await works(client)
            monkeypatch.setattr(driver, "PATIENCE", 0.05)  # what is wrong of a frame is seen when it is whole
            stranger = await agent.stranger()
            nursery.start_soon(send, stranger, data)
            assert await is_closed(stranger)
            assert await works(client)

    agent = with_agent(block)
    assert [line[:2] for line in agent.log.lines] == [("info", "somebody was sent away")]


async def send(stream: trio.SocketStream, data: bytes) -> None:
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        await stream.send_all(data)


def test_who_is_silent_or_slow_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    hello = encode_message(Hello(TOKEN, include=(bytes(3000),)))

    async def dribble(stream: trio.SocketStream) -> None:
        for byte in b"".join(encode_frame(Frame(Kind.MESSAGE, Lane.CONTROL, 1, 0, 0, hello))):
            await send(stream, bytes([byte]))
            await trio.sleep(0.001)

    async def block(agent: Agent) -> None:
        async with agent.session() as client, trio.open_nursery() as nursery:
            monkeypatch.setattr(driver, "PATIENCE", 0.05)
            silent, slow = await agent.stranger(), await agent.stranger()
            nursery.start_soon(dribble, slow)
            assert await is_closed(silent)
            assert await is_closed(slow)
            assert await works(client)  # for longer than that
            nursery.cancel_scope.cancel()

    assert [line[2] for line in with_agent(block).log.lines] == ["no token in time"] * 2


def test_a_crowd_keeps_nobody_out() -> None:
    """More than may wait at once: those that came first make room, and the session needn't wait for the others."""

    async def block(agent: Agent) -> None:
        crowd = [await agent.stranger() for _ in range(3 * machine.STRANGERS)]
        for stranger in crowd:
            await stranger.send_all(b"\0")
        async with agent.session() as client:
            assert await works(client)
            sent_away = 2 * machine.STRANGERS + 1  # one of them for the session
            for stranger in crowd[:sent_away]:
                assert await is_closed(stranger)
            crowd = [*crowd[sent_away:], await agent.stranger(), await agent.stranger()]
            for stranger in crowd[-2:]:
                await stranger.send_all(b"\0")
            assert await is_closed(crowd.pop(0))
            assert await works(client)
        for stranger in crowd:
            assert await is_closed(stranger)

    with_agent(block)


def test_a_silent_crowd_does_not_push_out_a_session_that_is_about_to_speak() -> None:
    async def block(agent: Agent) -> None:
        silent = await agent.stranger()
        stream = await agent.stranger()
        crowd = [await agent.stranger() for _ in range(machine.SILENT - 1)]
        assert await is_closed(silent)
        async with open_client(stream, Hello(TOKEN)) as client:
            assert await works(client)
        for stranger in crowd:
            assert await is_closed(stranger)

    assert [line[0] for line in with_agent(block).log.lines][:1] == ["info"]


def test_those_who_are_sent_away_do_not_fill_the_log() -> None:
    async def block(agent: Agent) -> None:
        for _ in range(100):
            await (await agent.stranger()).aclose()
        async with agent.session() as client:
            assert await works(client)

    assert len(with_agent(block).log.lines) == 7  # 1, 2, 4 ... 64


def test_a_token_that_comes_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is sent away already, but hasn't noticed: it must not be the session, for which the agent would end."""
    said = list[Failure | None]()

    async def late(stream: trio.SocketStream, *, admit: Callable[[], Failure | None], **_: Any) -> Failure:
        with trio.CancelScope(shield=True):
            await trio.sleep(0.1)
        said.append(admit())
        return END

    async def block(agent: Agent) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(driver, "PATIENCE", 0.05)
            patch.setattr(driver, "serve", late)
            stream = await agent.stranger()
            await stream.send_all(b"\0")
            assert await is_closed(stream)
        async with agent.session() as client:
            assert await works(client)

    with_agent(block)
    assert said == [machine.LATE]


def test_a_stranger_that_reads_nothing() -> None:
    async def block(agent: Agent) -> None:
        stranger = await agent.stranger()
        await stranger.send_all(random.Random(3).randbytes(100))
        async with agent.session() as client:
            assert await works(client)
        await agent.over.wait()
        await stranger.aclose()

    with_agent(block)


def test_no_descriptors_for_a_moment() -> None:
    """Who came is served when there are some again."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    async def block(agent: Agent) -> None:
        stream = trio.SocketStream(trio.socket.socket())
        os.close(lowest := os.dup(stream.socket.fileno()))
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
        try:
            await stream.socket.connect(agent.address)
            await agent.log.said.wait()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        async with open_client(stream, Hello(TOKEN)) as client:
            assert await works(client)

    agent = with_agent(block)
    assert agent.log.lines[0][:2] == ("warning", "no connection can be accepted")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
