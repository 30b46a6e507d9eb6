"""The server: what a broken session can do to it (end itself), order on a handle, cleaning up; hellos are in test_server_hello.py."""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable

import pytest
import trio

from mirrord_protocol.client import Client, ConnectionLost, RemoteError, open_client
from mirrord_protocol.failure import LocalProtocolError
from mirrord_protocol.framing import Frame, FrameReader, Kind, Lane, encode_frame
from mirrord_protocol.messages import decode_message, encode_message
from mirrord_protocol.server import Reply, serve
from mirrord_protocol.values import (
    Failure,
    FailureKind,
    Form,
    Goodbye,
    Hello,
    Listed,
    Message,
    Open,
    Opened,
    Read,
    Refused,
    Request,
    StatPath,
)
from protocol_samples import MESSAGES, STAT
from protocol_service import DIGEST, HELLO, Service, connected, socket_streams


def frames(*messages: tuple[int, Message]) -> bytes:
    """What a session would send: messages with their ids, from the first frame on."""
    sent = b""
    for number, (id_, message) in enumerate(messages, 1):
        frame = Frame(Kind.MESSAGE, Lane.CONTROL, number, 0, id_, encode_message(message))
        sent += b"".join(encode_frame(frame))
    return sent


def talk(data: bytes, service: Service | None = None, *, end: bool = True) -> tuple[Failure, list[Message]]:
    """Send bytes to a server; return why it ended and the messages that it sent."""

    async def run() -> tuple[Failure, list[Message]]:
        mine, theirs = socket_streams()
        ended: list[Failure] = []
        received = b""

        async def agent() -> None:
            ended.append(await serve(theirs, token_digest=DIGEST, service=service or Service()))

        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(agent)
                await mine.send_all(data)
                if end:
                    await mine.send_eof()
                while piece := await mine.receive_some(100_000):
                    received += piece
                await mine.aclose()
        return ended[0], [decode_message(frame.payload) for frame in FrameReader().feed(received)
                          if frame.kind == Kind.MESSAGE]  # fmt: skip

    return trio.run(run)


def test_a_refusal_arrives_though_requests_wait_unread() -> None:
    wrong = frames((0, Hello(b"guess")), *[(id_, StatPath(b"/" * 3000)) for id_ in range(1, 20)])
    failure, said = talk(wrong)

    assert said == [Refused(failure)]


# ---------------------------------------------------------------------------------------------- broken sessions


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n",
        b"\xff" * 200,
        frames((0, MESSAGES["ping"])),
        frames((0, HELLO), (0, HELLO)),
        frames((0, HELLO), (1, MESSAGES["opened"])),
        frames((0, HELLO), (5, StatPath(b"/")), (5, StatPath(b"/"))),
        frames((0, HELLO)) + b"\0" * 32,
        frames((0, HELLO), (1, StatPath(b"/")))[:-8] + b"\xff" * 40,
    ],
    ids=range(8),
)
def test_a_broken_session_ends_by_itself_with_a_clear_error(data: bytes) -> None:
    failure, said = talk(data, end=False)

    assert failure.kind == FailureKind.PROTOCOL
    assert "the session broke the protocol" in failure.text
    assert said[-1] == Goodbye(failure)


def test_a_session_that_goes_away_at_once() -> None:
    assert talk(b"")[0].kind == FailureKind.GONE
    assert talk(frames((0, HELLO))[:20])[0].kind == FailureKind.GONE
    assert talk(frames((0, HELLO)))[0].kind == FailureKind.GONE


def test_a_session_that_never_says_hello_or_falls_silent() -> None:
    async def run() -> list[str]:
        texts = []
        for data in (b"", frames((0, HELLO))):
            mine, theirs = trio.testing.memory_stream_pair()
            await mine.send_all(data)
            texts.append((await serve(theirs, token_digest=DIGEST, service=Service(lease=5000))).text)
        return texts

    assert trio.run(run, clock=trio.testing.MockClock(autojump_threshold=0)) == [
        "the session didn't say hello in time",
        "nothing was heard from the session for 5.0 s",
    ]


# ---------------------------------------------------------------------------------------------- requests


def play(service: Service, block: Callable[[Client], Awaitable[None]]) -> None:
    async def run() -> None:
        with trio.fail_after(60):
            async with connected(service, socket_streams()) as (client, _):
                await block(client)

    trio.run(run)


def test_requests_of_one_handle_run_in_order() -> None:
    order: list[str] = []
    answered = trio.Event()

    class Slow(Service):
        async def handle(self, request_id: int, request: Request, reply: Reply) -> None:
            order.append(f"{request_id} begins")
            if isinstance(request, Open):
                await answered.wait()
                self.handles[request_id] = b"abcdef"
                reply.answer(Opened(STAT, Form.REQUEST, complete=False))
            else:
                assert isinstance(request, Read)
                for _ in range(3 - request_id // 2):
                    await trio.lowlevel.checkpoint()
                await reply.send(self.handles[request.handle][request.offset :][: request.length])
            order.append(f"{request_id} ends")

    async def block(client: Client) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.open, b"/f")
            await trio.testing.wait_all_tasks_blocked()
            reads = [client.read(1, at, 2) for at in (0, 2, 4)]
            await trio.testing.wait_all_tasks_blocked()
            assert order == ["1 begins"]
            answered.set()
            assert [await read.receive_all() for read in reads] == [b"ab", b"cd", b"ef"]

    service = Slow()
    play(service, block)

    assert order == [f"{id_} {what}" for id_ in range(1, 5) for what in ("begins", "ends")]


def test_a_handle_is_closed_after_its_reads_and_once() -> None:
    events: list[str] = []
    go = trio.Event()

    class Slow(Service):
        async def handle(self, request_id: int, request: Request, reply: Reply) -> None:
            if isinstance(request, Read):
                await go.wait()
                events.append(f"read {request_id}")
                await reply.send(b"x")
            else:
                reply.answer(Opened(STAT, Form.REQUEST, complete=False))

        def closed(self, request_id: int) -> None:
            events.append(f"closed {request_id}")

    async def block(client: Client) -> None:
        file = await client.open(b"/f")
        reads = [file.read(0, 1), file.read(0, 1)]
        file.close()
        await trio.testing.wait_all_tasks_blocked()
        go.set()
        assert [await read.receive_all() for read in reads] == [b"x", b"x"]
        await client.open(b"/left open")

    play(Slow(), block)

    assert events == ["read 2", "read 3", "closed 1", "closed 4"]


def test_a_service_that_fails_after_data() -> None:
    async def breaks(request_id: int, request: Request, reply: Reply) -> None:
        reply.answer(Opened(STAT, Form.WHOLE, complete=True))
        await reply.send(b"12345")
        raise OSError(errno.EIO, "disk")

    async def block(client: Client) -> None:
        file = await client.open(b"/f")
        assert await file.data.__anext__() == b"12345"
        with pytest.raises(RemoteError) as caught:
            await file.data.__anext__()
        assert caught.value.failure.errno == "EIO"
        with pytest.raises(RemoteError):
            await file.data.__anext__()

    service = Service()
    service.special[b"/f"] = breaks
    play(service, block)

    assert service.over == [1]


def test_a_defect_of_the_service_is_not_hidden() -> None:
    async def defect(request_id: int, request: Request, reply: Reply) -> None:
        raise ZeroDivisionError

    async def misuse(request_id: int, request: Request, reply: Reply) -> None:
        reply.answer(b"no stat")

    async def run(path: bytes) -> None:
        service = Service()
        service.special |= {b"/defect": defect, b"/misuse": misuse}
        async with connected(service, socket_streams()) as (client, _):
            with pytest.raises(ConnectionLost) as caught:
                await client.stat(path)
            assert caught.value.failure.kind == FailureKind.INTERNAL

    for path, error in ((b"/defect", ZeroDivisionError), (b"/misuse", LocalProtocolError)):
        with pytest.raises(ExceptionGroup) as caught:
            trio.run(run, path)
        assert caught.group_contains(error)


def test_a_request_left_without_an_answer_is_a_defect() -> None:
    async def silent(request_id: int, request: Request, reply: Reply) -> None:
        pass

    async def run() -> None:
        service = Service()
        service.special[b"/silent"] = silent
        async with connected(service, socket_streams()) as (client, _):
            with pytest.raises(ConnectionLost):
                await client.stat(b"/silent")

    with pytest.raises(ExceptionGroup) as caught:
        trio.run(run)
    assert caught.group_contains(LocalProtocolError)


def test_everything_kept_is_closed_when_the_session_goes() -> None:
    service = Service({b"/big": bytes(1 << 21)})

    async def block(client: Client) -> None:
        for _ in range(3):
            await client.open(b"/big", head=0)
        await client.list(b"/d", watch=True)

    play(service, block)

    assert sorted(service.over) == [1, 2, 3, 4]


def test_an_end_that_the_agent_decides_is_told() -> None:
    async def run() -> None:
        mine, theirs = socket_streams()
        over = trio.Event()

        async def until() -> Failure:
            await over.wait()
            return Failure(FailureKind.GONE, None, "the target has ended")

        async def agent() -> None:
            ended.append(await serve(theirs, token_digest=DIGEST, service=Service({b"/f": b"1"}), until=until))

        ended: list[Failure] = []
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(agent)
                async with open_client(mine, HELLO) as client:
                    await client.stat(b"/f")
                    over.set()
                    assert (await client.wait_lost()).text == "the target has ended"
        assert ended == [Failure(FailureKind.GONE, None, "the target has ended")]

    trio.run(run)


def test_a_stream_that_ends_with_its_request_ends_at_once() -> None:
    """No clock moves here: whatever isn't sent by itself is never sent."""

    async def special(_id: int, _request: Request, reply: Reply) -> None:
        reply.answer(Listed(STAT, watched=False))
        await reply.send(b"")
        await trio.testing.wait_all_tasks_blocked()

    async def run() -> None:
        service = Service()
        service.special[b"/d"] = special
        async with connected(service, trio.testing.memory_stream_pair()) as (client, _):
            listing = await client.list(b"/d")
            assert await listing.data.receive_all() == b""

    trio.run(run, clock=trio.testing.MockClock())
