"""The link's end over real sockets: many askers, strangers, garbage, slow peers, and the last program's end."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trio
import trio.testing

from mirrord_cli.session.link.driver import Links
from mirrord_cli.session.publishing.driver import SharedMemory
from mirrord_protocol.layer_values import LayerOperation, LayerOutcome, LayerReply, LayerRequest
from mirrord_protocol.messages import encode_layer_reply, encode_layer_request
from session_layer import begin, channel_pair, finish
from session_run import HERE

STAT = LayerOperation.STAT
DONE = encode_layer_reply(LayerReply(LayerOutcome.DONE, payload=2))
Block = Callable[["Kit"], Awaitable[None]]


class Kit:
    """Links that answer each question with its first two letters, or let it wait."""

    def __init__(self, *, user: int | None = None, most: int = 100) -> None:
        self.links = Links(self.asked, os.geteuid() if user is None else user, most)
        self.waiting: list[int] = []
        self.hold = False
        self.link, its = channel_pair()
        self.its: socket.socket | None = its
        self.ended = trio.Event()
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        self.name = b"\0mirrord-test-" + secrets.token_hex(8).encode()
        self.listener.bind(self.name)
        self.listener.listen(1000)

    def asked(self, channel: int, request: LayerRequest, payload: bytes) -> None:
        self.waiting.append(channel)
        if not self.hold:
            self.answer_all(payload[:2])

    def answer_all(self, payload: bytes = b"ok") -> None:
        waiting, self.waiting = self.waiting, []
        for channel in waiting:
            self.links.answer(channel, DONE, payload, ())

    def connect(self) -> socket.socket:
        end = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        end.connect(self.name)
        return end

    async def run(self, block: Block) -> None:
        async def serve() -> None:
            assert self.its is not None
            await self.links.serve(self.its, inherited=True)
            self.ended.set()

        with self.link, self.listener:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(serve)
                nursery.start_soon(self.links.accept, self.listener, nursery)
                with trio.fail_after(20):
                    await block(self)
                nursery.cancel_scope.cancel()
            self.links.close()


def play(block: Block, **options: int) -> None:
    async def run() -> None:
        await Kit(**options).run(block)

    trio.run(run)


async def heard(channel: socket.socket) -> bytes | None:
    """What comes by a channel."""
    got = await trio.to_thread.run_sync(finish, channel)
    return got.payload if got else None


def test_question_and_answer() -> None:
    async def block(kit: Kit) -> None:
        assert await heard(begin(kit.link, STAT, b"path")) == b"pa"
        assert kit.links.questions == 1

    play(block)


def test_many_at_once_in_any_order() -> None:
    async def block(kit: Kit) -> None:
        kit.hold = True
        channels = [begin(kit.link, STAT, b"x") for _ in range(90)]
        await trio.testing.wait_all_tasks_blocked()
        kit.waiting.reverse()
        kit.answer_all()

        assert [await heard(channel) for channel in channels] == [b"ok"] * 90

    play(block)


def test_more_than_there_is_room_for_wait_in_their_sockets() -> None:
    async def block(kit: Kit) -> None:
        kit.hold = True
        with kit.connect() as other:
            channels = [begin(link, STAT, b"x") for link in (kit.link, other) for _ in range(8)]
            seen: list[int] = []
            while len(seen) < 16:
                await trio.testing.wait_all_tasks_blocked(0.01)
                assert len(kit.waiting) <= 3
                seen += kit.waiting
                kit.answer_all()

            assert [await heard(channel) for channel in channels] == [b"ok"] * 16

    play(block, most=3)


def test_one_that_does_not_read_holds_nobody_up() -> None:
    """A channel that can't take its answer is closed; others have theirs."""

    async def block(kit: Kit) -> None:
        ours, theirs = channel_pair()
        theirs.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                theirs.send(bytes(1000))
        socket.send_fds(kit.link, [encode_layer_request(LayerRequest(STAT, payload=1)), b"x"], [theirs.fileno()])
        theirs.close()

        assert await heard(begin(kit.link, STAT, b"path")) == b"pa"
        ours.close()

    play(block)


def test_one_that_ended_while_it_waited() -> None:
    async def block(kit: Kit) -> None:
        kit.hold = True
        begin(kit.link, STAT, b"x").close()
        await trio.testing.wait_all_tasks_blocked()

        kit.answer_all()

        kit.hold = False
        assert await heard(begin(kit.link, STAT, b"path")) == b"pa"

    play(block)


REQUEST = encode_layer_request(LayerRequest(STAT, payload=4))
GARBAGE = {
    "nothing": b"",
    "short": b"x",
    "noise": secrets.token_bytes(64),
    "unknown operation": REQUEST[:16] + b"\xff\xff" + REQUEST[18:] + b"path",
    "payload too short": REQUEST + b"pat",
    "payload too long": REQUEST + b"paths",
    "too long": REQUEST + bytes(10_000),
}


@pytest.mark.parametrize("descriptors", [0, 1, 2])
@pytest.mark.parametrize("data", GARBAGE.values(), ids=GARBAGE)
@pytest.mark.parametrize("inherited", [True, False])
def test_garbage_ends_its_own_connection_alone(data: bytes, descriptors: int, inherited: bool) -> None:
    """And not even that if innocent processes share it."""

    async def block(kit: Kit) -> None:
        ours, theirs = channel_pair()
        with kit.connect() as other:
            bad, good = (kit.link, other) if inherited else (other, kit.link)
            with theirs:
                socket.send_fds(bad, [data], [theirs.fileno()] * descriptors)
            assert await heard(begin(good, STAT, b"path")) == b"pa"
            if inherited:
                assert await heard(begin(bad, STAT, b"path")) == b"pa"
            else:
                assert await trio.to_thread.run_sync(bad.recv, 1) == b""
        assert await heard(ours) is None
        assert kit.waiting == []

    play(block)


@pytest.mark.parametrize("descriptors", [0, 2])
def test_a_question_without_its_channel(descriptors: int) -> None:
    async def block(kit: Kit) -> None:
        with kit.connect() as other:
            fds = [os.open(os.devnull, os.O_RDONLY) for _ in range(descriptors)]
            socket.send_fds(other, [REQUEST, b"path"], fds)
            for fd in fds:
                os.close(fd)

            assert await trio.to_thread.run_sync(other.recv, 1) == b""

    play(block)


def test_a_channel_that_is_no_socket() -> None:
    async def block(kit: Kit) -> None:
        fd = os.open(os.devnull, os.O_RDWR)
        socket.send_fds(kit.link, [REQUEST, b"path"], [fd])
        os.close(fd)

        assert await heard(begin(kit.link, STAT, b"path")) == b"pa"

    play(block)


def test_descriptors_of_garbage_are_closed() -> None:
    async def block(kit: Kit) -> None:
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(50):
            socket.send_fds(kit.link, [b"x"], [0, 1])
        assert await heard(begin(kit.link, STAT, b"path")) == b"pa"

        assert len(os.listdir("/proc/self/fd")) == before

    play(block)


def test_other_users_are_turned_away() -> None:
    async def block(kit: Kit) -> None:
        with kit.connect() as other:
            assert await trio.to_thread.run_sync(other.recv, 1) == b""

    play(block, user=os.geteuid() + 1)


def test_many_connections_at_once() -> None:
    async def block(kit: Kit) -> None:
        ends = [kit.connect() for _ in range(300)]
        channels = [begin(end, STAT, b"path") for end in ends]

        assert [await heard(channel) for channel in channels] == [b"pa"] * 300
        for end in ends:
            end.close()

    play(block)


def test_no_descriptor_left_for_a_connection() -> None:
    """It waits, and gets its turn."""
    program = (
        "import resource, socket, sys; sys.path[:0] = sys.argv[1:]\n"
        "import trio, trio.testing; from session.link.test_driver import Kit, begin, heard, STAT, os\n"
        "async def block(kit):\n"
        "    waiting = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(8)]\n"
        "    free = os.open('/dev/null', 0); os.close(free)\n"
        "    resource.setrlimit(resource.RLIMIT_NOFILE, (free + 3, free + 3))\n"
        "    for end in waiting: end.connect(kit.name)\n"
        "    await trio.testing.wait_all_tasks_blocked(0.01)\n"
        "    for end in waiting[:6]: end.close()\n"
        "    assert await heard(begin(waiting[7], STAT, b'path')) == b'pa'\n"
        "    for end in waiting: end.close()\n"
        "async def run(): await Kit().run(block)\n"
        "trio.run(run)\n"
    )

    done = subprocess.run([sys.executable, "-c", program, HERE], capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stderr) == (0, "")


def test_the_end_is_when_nobody_has_link_connection_or_table() -> None:
    async def run() -> None:
        kit, memory = Kit(), SharedMemory(4096)
        ended = trio.Event()

        async def wait() -> None:
            await kit.links.wait_unused(memory)
            ended.set()

        async def block(kit: Kit) -> None:
            table = memory.hand_out()
            nursery.start_soon(wait)
            copy = kit.link.dup()
            kit.link.close()
            other = kit.connect()
            await trio.testing.wait_all_tasks_blocked()
            assert not kit.ended.is_set()
            copy.close()
            await kit.ended.wait()
            await trio.testing.wait_all_tasks_blocked()
            assert not ended.is_set()
            other.close()
            with trio.move_on_after(0.5):
                await ended.wait()
            assert not ended.is_set()  # someone has the table still, and may come back
            os.close(table)
            await ended.wait()

        async with trio.open_nursery() as nursery:
            await kit.run(block)
        memory.close()

    trio.run(run)


def test_answers_carry_descriptors() -> None:
    async def block(kit: Kit) -> None:
        kit.hold = True
        channel = begin(kit.link, STAT, b"x")
        await trio.testing.wait_all_tasks_blocked()
        fd = os.memfd_create("x")
        kit.links.answer(kit.waiting.pop(), DONE, b"ab", [fd])
        got = await trio.to_thread.run_sync(partial(finish, channel))

        assert got
        assert os.fstat(got.fds[0]).st_ino == os.fstat(fd).st_ino
        got.close()
        os.close(fd)

    play(block)


def test_an_asker_that_leaves() -> None:
    """Whoever waits for it is told; others, which are answered, end the wait too."""

    async def block(kit: Kit) -> None:
        kit.hold = True
        channels = [begin(kit.link, STAT, b"x") for _ in range(2)]
        await trio.testing.wait_all_tasks_blocked()
        first, second = kit.waiting
        left: list[int] = []

        async def watch(number: int) -> None:
            await kit.links.wait_closed(number)
            left.append(number)

        async with trio.open_nursery() as nursery:
            for number in (first, second, 99):
                nursery.start_soon(watch, number)
            await trio.testing.wait_all_tasks_blocked()
            assert left == [99]
            channels[0].close()
            await trio.testing.wait_all_tasks_blocked()
            assert left == [99, first]
            kit.links.drop(first)
            kit.links.drop(first)
            kit.links.answer(second, DONE, b"ok", ())
        assert await heard(channels[1]) == b"ok"
        assert left == [99, first, second]
        kit.waiting.clear()

    play(block)
