"""SPDY's two streams: what we say is read by another's hand, what comes is cut anywhere, and what isn't right about it."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrord_cli.session.forward.events import MOST_SAID, Accepted, Came, Ended, Event, Unheard
from mirrord_cli.session.forward.spdy import PIECE, Spdy

ERROR, DATA = 1, 3
REFUSED = b"failed to dial 9: dial tcp4 127.0.0.1:9: connect: connection refused"


def data(stream: int, content: bytes = b"", flags: int = 0) -> bytes:
    return struct.pack(">II", stream, flags << 24 | len(content)) + content


def control(kind: int, content: bytes, flags: int = 0) -> bytes:
    return struct.pack(">II", 0x8003_0000 | kind, flags << 24 | len(content)) + content


def reply(stream: int) -> bytes:
    return control(2, struct.pack(">I", stream) + zlib.compress(bytes(4)))


def reset(stream: int) -> bytes:
    return control(3, struct.pack(">II", stream, 5))


def receive(spdy: Spdy, *messages: bytes) -> list[Event]:
    return [event for message in messages for event in spdy.receive(memoryview(message), begins=True)]


def opened() -> Spdy:
    """One whose first connection has begun."""
    spdy = Spdy(1)
    spdy.begin()
    return spdy


def came(events: Iterable[Event]) -> bytes:
    return b"".join(event.data for event in events if isinstance(event, Came))


def test_what_is_said_first() -> None:
    said, inflate, frames = Spdy(30000).begin(), zlib.decompressobj(), list[tuple[int, int, bytes]]()
    while said:
        first, second = struct.unpack_from(">II", said)
        size = 8 + (second & 0xFFFFFF)
        frames.append((first, second >> 24, said[8:size]))
        said = said[size:]

    assert [frame[:2] for frame in frames] == [(0x8003_0001, 0), (ERROR, 1), (0x8003_0001, 0)]
    for (_, _, body), stream, kind in zip(frames[::2], (ERROR, DATA), (b"error", b"data"), strict=True):
        assert body[:10] == struct.pack(">IIH", stream, 0, 0)
        block = inflate.decompress(body[10:])
        fields = [b"streamtype", kind, b"port", b"30000", b"requestid", b"0"]
        assert block == struct.pack(">I", 3) + b"".join(struct.pack(">I", len(field)) + field for field in fields)
    assert frames[1][2] == b""


def test_one_connection_after_the_other() -> None:
    """Their streams have other numbers, their headers are packed on from the last; what is late of the first is nothing."""
    spdy, inflate = Spdy(7), zlib.decompressobj()
    first = spdy.begin()
    assert receive(spdy, data(DATA, b"", 1), data(ERROR, REFUSED, 1)) == [Unheard()]
    second = spdy.begin()

    blocks, numbers = list[bytes](), list[int]()
    left = first + second
    while left:
        size = 8 + (struct.unpack_from(">II", left)[1] & 0xFFFFFF)
        if left[0] & 0x80:
            numbers.append(struct.unpack_from(">I", left, 8)[0])
            blocks.append(inflate.decompress(left[18:size]))
        left = left[size:]
    assert numbers == [1, 3, 5, 7]
    assert [block[-1:] for block in blocks] == [b"0", b"0", b"1", b"1"]
    assert b"".join(spdy.wrap(memoryview(b"hello"))) == data(7, b"hello")
    late = (data(DATA, b"late"), reset(ERROR), reset(DATA), data(ERROR, REFUSED, 1))
    assert receive(spdy, *late) == []
    assert receive(spdy, data(7, b"you", 1), data(5, b"", 1)) == [Came(memoryview(b"you")), Ended()]


def test_much_is_cut_into_frames() -> None:
    content = bytes(range(256)) * 1024
    frames = list(opened().wrap(memoryview(content)))

    assert b"".join(frame[8:] for frame in frames) == content
    for frame in frames:
        assert struct.unpack_from(">II", frame) == (DATA, len(frame) - 8)
        assert len(frame) <= PIECE + 8
    assert list(opened().wrap(memoryview(b""))) == []


def test_the_server_accepts() -> None:
    spdy = opened()

    assert receive(spdy, reply(DATA), reply(7)) == []
    assert receive(spdy, reply(ERROR)) == [Accepted()]
    assert receive(spdy, reply(ERROR)) == []


def test_bytes_come() -> None:
    spdy = opened()

    assert (
        came(receive(spdy, reply(ERROR), reply(DATA), data(DATA, b"hello "), data(DATA), data(DATA, b"you")))
        == b"hello you"
    )
    assert receive(spdy, data(7, b"of another stream", 1), control(4, bytes(4)), control(9, bytes(8))) == []


@given(st.lists(st.integers(1, 30), max_size=40))
def test_how_it_is_cut_means_nothing(cuts: list[int]) -> None:
    whole = (
        reply(ERROR)
        + data(DATA, b"hello ")
        + reply(DATA)
        + data(DATA, b"you" * 20)
        + data(ERROR, b"", 1)
        + data(DATA, b"", 1)
    )
    spdy, events, position = opened(), list[Event](), 0
    for cut in [*cuts, len(whole)]:
        events += receive(spdy, whole[position : position + cut])
        position += cut

    assert came(events) == b"hello " + b"you" * 20
    assert events[-1] == Ended()


@pytest.mark.parametrize("last", [data(DATA, b"last words", 1), data(DATA, b"last words") + data(DATA, b"", 1)])
@pytest.mark.parametrize("first", [True, False])
def test_the_ports_end(last: bytes, first: bool) -> None:
    ends = [data(ERROR, b"", 1), last] if first else [last, data(ERROR, b"", 1)]
    events = receive(opened(), *ends)

    assert came(events) == b"last words"
    assert events[-1] == Ended() and len(events) == 2


@pytest.mark.parametrize(
    "frames",
    [
        (data(DATA, b"", 1), data(ERROR, REFUSED), data(ERROR, b"", 1)),
        (data(DATA, b"", 1), data(ERROR, REFUSED[:20]), data(ERROR, REFUSED[20:], 1)),
        (data(ERROR, REFUSED), reset(DATA), reset(ERROR)),
    ],
)
def test_nobody_listens(frames: tuple[bytes, ...]) -> None:
    assert receive(opened(), *frames) == [Unheard()]


def test_other_failures() -> None:
    assert receive(opened(), data(ERROR, b"no such pod"), reset(DATA), reset(ERROR)) == [Ended("no such pod")]
    assert receive(opened(), reset(DATA), data(ERROR, b"", 1)) == [Ended("the connection to the port was reset")]
    (event,) = receive(opened(), data(ERROR, b"x" * 100_000, 1), data(DATA, b"", 1))
    assert event == Ended("x" * MOST_SAID)


def test_pings() -> None:
    spdy = opened()
    receive(spdy, control(6, struct.pack(">I", 2)) + control(6, struct.pack(">I", 3)), control(6, b""))

    assert spdy.answer() == control(6, struct.pack(">I", 2))
    assert spdy.answer() == b""


def test_a_long_control_frame_is_not_kept() -> None:
    spdy = opened()
    receive(spdy, struct.pack(">II", 0x8003_0008, 0xFFFFFF))
    for _ in range(255):
        receive(spdy, bytes(65536))

    assert len(spdy._control) <= 8
    assert came(receive(spdy, bytes(65535) + data(DATA, b"after"))) == b"after"


def test_another_version() -> None:
    assert receive(opened(), struct.pack(">II", 0x8002_0001, 4)) == [Ended("the API server speaks another SPDY")]


@given(st.lists(st.binary(max_size=100), max_size=10))
def test_garbage(messages: list[bytes]) -> None:
    for event in receive(opened(), *messages):
        assert isinstance(event, Accepted | Came | Ended | Unheard)
