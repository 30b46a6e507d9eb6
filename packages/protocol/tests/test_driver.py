"""The driver over real socket pairs and over streams that stand still: it reads whatever happens, and writes at once."""

from __future__ import annotations

import math

import pytest
import trio
import trio.testing

from mirrord_protocol.actions import Action, Answered, Asked, DataReceived, Greeted, Over, Welcomed
from mirrord_protocol.agent_end import AgentEnd
from mirrord_protocol.connection import State
from mirrord_protocol.driver import FLUSH, Driver
from mirrord_protocol.session_end import SessionEnd
from mirrord_protocol.values import Failure, FailureKind, Goodbye, Hello, Read, StatPath, Welcome
from protocol_samples import GONE, STAT, TARGET, TOKEN
from protocol_service import socket_streams

HELLO = Hello(TOKEN)
WELCOME = Welcome(target=TARGET)


class Side:
    """A driver with its actions, in the order they came."""

    def __init__(self, stream: trio.abc.Stream, end: SessionEnd | AgentEnd) -> None:
        self.end = end
        self.actions: list[Action] = []
        self.came = trio.Event()
        self.driver = Driver(stream, end, self._act)

    def _act(self, action: Action) -> None:
        self.actions.append(action)
        if isinstance(action, Greeted) and isinstance(self.end, AgentEnd):
            self.driver.carry_out(self.end.accept(WELCOME))
        self.came.set()
        self.came = trio.Event()

    async def wait_for(self, kind: type[Action]) -> Action:
        while True:
            for action in self.actions:
                if isinstance(action, kind):
                    return action
            await self.came.wait()


def sides(streams: tuple[trio.abc.Stream, trio.abc.Stream]) -> tuple[Side, Side]:
    session, agent = SessionEnd(trio.current_time()), AgentEnd(trio.current_time())
    session.say_hello(HELLO)
    return Side(streams[0], session), Side(streams[1], agent)


class CountingStream(trio.abc.Stream):
    """A stream that counts what goes through it."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.writes: list[int] = []

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(len(data))
        await self.stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self.stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self.stream.receive_some(max_bytes)

    async def aclose(self) -> None:
        await self.stream.aclose()


def test_a_conversation_over_a_socket_pair() -> None:
    async def run() -> None:
        streams = socket_streams()
        session, agent = sides(streams)
        assert isinstance(session.end, SessionEnd)
        assert isinstance(agent.end, AgentEnd)
        async with streams[0], streams[1], trio.open_nursery() as nursery:
            nursery.start_soon(session.driver.run)
            nursery.start_soon(agent.driver.run)
            await session.wait_for(Welcomed)
            session.end.ask(StatPath(b"/"))
            session.driver.wake()
            await agent.wait_for(Asked)
            agent.end.answer(1, STAT)
            agent.driver.wake()
            assert await session.wait_for(Answered) == Answered(1, STAT, last=True)
            await session.driver.close(GONE)
            assert await agent.wait_for(Over) == Over(GONE)
        assert session.driver.failure == agent.driver.failure == GONE

    trio.run(run)


def test_whatever_waits_goes_in_one_write() -> None:
    async def run() -> list[int]:
        mine, theirs = socket_streams()
        counting = CountingStream(mine)
        session, agent = sides((counting, theirs))
        assert isinstance(session.end, SessionEnd)
        async with mine, theirs, trio.open_nursery() as nursery:
            nursery.start_soon(session.driver.run)
            nursery.start_soon(agent.driver.run)
            await session.wait_for(Welcomed)
            counting.writes.clear()
            for _ in range(50):
                session.end.ask(StatPath(b"/"))
                session.driver.wake()
            await agent.wait_for(Asked)
            nursery.cancel_scope.cancel()
        return counting.writes

    assert trio.run(run) == [50 * 96]


def test_bulk_is_written_in_large_pieces() -> None:
    async def run() -> list[int]:
        mine, theirs = socket_streams()
        counting = CountingStream(theirs)
        session, agent = sides((mine, counting))
        assert isinstance(session.end, SessionEnd)
        assert isinstance(agent.end, AgentEnd)
        async with mine, theirs, trio.open_nursery() as nursery:
            nursery.start_soon(session.driver.run)
            nursery.start_soon(agent.driver.run)
            await session.wait_for(Welcomed)
            session.end.ask(Read(1, 0, 256 << 10))
            session.driver.wake()
            await agent.wait_for(Asked)
            counting.writes.clear()
            agent.end.send(1, bytes(256 << 10), end=True)
            agent.driver.wake()
            while not any(isinstance(action, DataReceived) and action.end for action in session.actions):
                await session.came.wait()
            nursery.cancel_scope.cancel()
        return counting.writes

    assert trio.run(run)[0] == (256 << 10) + 4 * 32


def test_reading_goes_on_while_writing_stands_still() -> None:
    """The agent's words arrive though the session's can't leave: nobody takes them."""

    async def run() -> None:
        mine, theirs = trio.testing.lockstep_stream_pair()
        session, agent = sides((mine, theirs))
        assert isinstance(session.end, SessionEnd)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.driver.run)
            agent.driver.carry_out(await agent.driver.receive())
            for _ in range(5):
                session.end.ask(StatPath(b"/"))
            session.driver.wake()
            await agent.driver.flush()
            await session.wait_for(Welcomed)
            nursery.cancel_scope.cancel()

    trio.run(run)


@pytest.mark.parametrize("data", [b"\xff" * 100, b"\0" * 100])
def test_a_peer_that_breaks_the_protocol_gets_a_goodbye(data: bytes) -> None:
    async def run() -> tuple[Failure | None, bytes]:
        mine, theirs = socket_streams()
        session, _ = sides((mine, theirs))
        await theirs.send_all(data)
        async with mine, theirs:
            await session.driver.run()
            await mine.send_eof()
            return session.driver.failure, b"".join([piece async for piece in theirs])

    failure, heard = trio.run(run)

    assert failure is not None
    assert failure.kind == FailureKind.PROTOCOL
    assert failure.text.startswith("the agent broke the protocol: ")
    assert failure.text.encode() in heard


def test_a_peer_that_is_gone() -> None:
    async def run() -> Failure | None:
        mine, theirs = socket_streams()
        session, _ = sides((mine, theirs))
        await theirs.aclose()
        async with mine:
            await session.driver.run()
        return session.driver.failure

    failure = trio.run(run)

    assert failure is not None
    assert failure.kind == FailureKind.GONE


def test_the_last_words_of_a_peer_that_is_gone_are_heard() -> None:
    """Writing fails before the other side's reason was read."""

    async def run() -> Failure | None:
        mine, theirs = socket_streams()
        session, agent = sides((mine, theirs))
        agent.end.say_goodbye(GONE)
        await agent.driver.flush()
        await theirs.aclose()
        async with mine:
            await session.driver.run()
        return session.driver.failure

    assert trio.run(run) == GONE


def test_goodbye_waits_not_long_for_a_peer_that_does_not_read() -> None:
    async def run() -> float:
        mine, theirs = trio.testing.lockstep_stream_pair()
        session, _ = sides((mine, theirs))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.driver.run)
            await trio.testing.wait_all_tasks_blocked()
            await session.driver.close(GONE)
        await theirs.aclose()
        return trio.current_time()

    clock = trio.testing.MockClock(autojump_threshold=0)
    begin = clock.current_time()

    assert math.isclose(trio.run(run, clock=clock) - begin, FLUSH)


def test_over_is_told_once() -> None:
    async def run() -> list[Action]:
        mine, theirs = socket_streams()
        session, agent = sides((mine, theirs))
        agent.end._say(0, Goodbye(GONE))
        await agent.driver.flush()
        async with mine, theirs:
            await session.driver.run()
            await session.driver.close(GONE)
            await session.driver.wait_over()
        return session.actions

    assert trio.run(run) == [Over(GONE)]


def test_what_is_pushed_leaves_at_once_and_what_follows_goes_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first question of a moment doesn't wait for the writer's turn; others of that moment share a write."""

    async def run() -> None:
        mine, theirs = socket_streams()
        session, agent = sides((mine, theirs))
        assert isinstance(session.end, SessionEnd)
        async with mine, theirs, trio.open_nursery() as nursery:
            nursery.start_soon(session.driver.run)
            nursery.start_soon(agent.driver.run)
            await session.wait_for(Welcomed)
            await trio.testing.wait_all_tasks_blocked()
            now = trio.current_time()
            monkeypatch.setattr(trio, "current_time", lambda: now)
            before = session.end.lanes.number
            for expected in (before + 1, before + 1, before + 1):
                session.end.ask(StatPath(b"/"))
                session.driver.push()
                assert session.end.lanes.number == expected
            monkeypatch.undo()
            await trio.testing.wait_all_tasks_blocked()
            assert session.end.lanes.number == before + 3
            nursery.cancel_scope.cancel()

    trio.run(run)


def test_an_acknowledgement_is_no_matter_of_time_while_the_writer_is_at_work() -> None:
    """Else the watcher would look again and again, as long as the other side doesn't read."""

    async def run() -> None:
        session, _ = sides(socket_streams())
        session.end._ack_at, session.end.state = 0.0, State.OPEN
        assert session.driver._deadline == session.end.deadline
        session.driver._writer = trio.lowlevel.current_task()
        assert session.driver._deadline == 0.0
        for side in (session, _):
            side.driver._socket.close()  # type: ignore[union-attr]

    trio.run(run)
