"""Frames: there and back in pieces of any size, without copies where none are needed, and limits before anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrord_protocol.failure import LocalProtocolError, RemoteProtocolError
from mirrord_protocol.framing import (
    COPIED,
    DATA_LIMIT,
    FIRST_LIMIT,
    HEADER,
    MESSAGE_LIMIT,
    Frame,
    FrameReader,
    Kind,
    Lane,
    encode_frame,
)

u64 = st.integers(0, 2**64 - 1)
frames = st.builds(
    Frame, st.just(Kind.DATA), st.just(Lane.BULK), u64, u64, u64, st.binary(max_size=99), st.booleans()
) | st.builds(
    Frame, st.just(Kind.MESSAGE), st.sampled_from(Lane), u64, u64, u64, st.binary(max_size=99), st.just(value=False)
)


def wire(*sent: Frame) -> bytes:
    return b"".join(piece for frame in sent for piece in encode_frame(frame))


def message(size: int = 8) -> Frame:
    return Frame(Kind.MESSAGE, Lane.CONTROL, 1, 0, 0, bytes(size))


@given(st.lists(frames, max_size=6), st.integers(1, 60))
def test_there_and_back_in_pieces(sent: list[Frame], piece: int) -> None:
    data, reader = wire(*sent), FrameReader()
    got = [frame for at in range(0, len(data), piece) for frame in reader.feed(data[at : at + piece])]

    assert got == sent
    assert reader.waiting == 0


@given(st.lists(frames, min_size=1, max_size=3))
def test_byte_by_byte(sent: list[Frame]) -> None:
    reader = FrameReader()

    assert [frame for byte in wire(*sent) for frame in reader.feed(bytes([byte]))] == sent


def test_a_frame_is_a_multiple_of_8_and_ends_in_zeros() -> None:
    for size in range(20):
        data = wire(message(size))
        assert len(data) == message(size).size
        assert len(data) % 8 == 0
        assert not any(data[HEADER.size + size :])


def test_a_payload_in_one_buffer_is_a_view_into_it() -> None:
    data = wire(Frame(Kind.DATA, Lane.BULK, 1, 0, 5, b"x" * 5000))
    frame = next(FrameReader().feed(data))

    assert isinstance(frame.payload, memoryview)
    assert frame.payload.obj is data


def test_sending_does_not_copy_what_is_large() -> None:
    payload = bytes(COPIED + 1)

    assert encode_frame(Frame(Kind.DATA, Lane.BULK, 1, 0, 5, payload))[1] is payload


@pytest.mark.parametrize(
    ("first", "then", "limit"),
    [
        (None, message, FIRST_LIMIT),
        (message(), message, MESSAGE_LIMIT),
        (None, lambda size: Frame(Kind.DATA, Lane.BULK, 1, 0, 1, bytes(size)), DATA_LIMIT),
    ],
)
def test_limits(first: Frame | None, then: object, limit: int) -> None:
    header = HEADER.pack(limit, *HEADER.unpack(encode_frame(then(8))[0][: HEADER.size])[1:])  # type: ignore[operator]
    longer = HEADER.pack(limit + 1, *HEADER.unpack(header)[1:])
    for data, fits in ((header, True), (longer, False)):
        reader = FrameReader()
        if first:
            assert list(reader.feed(wire(first))) == [first]
        if fits:
            assert list(reader.feed(data)) == []
        else:
            with pytest.raises(RemoteProtocolError, match="bytes"):
                list(reader.feed(data))


@pytest.mark.parametrize(
    "header",
    [
        HEADER.pack(8, 0, 0, 0, 1, 0, 0),
        HEADER.pack(8, 3, 0, 0, 1, 0, 0),
        HEADER.pack(8, 1, 2, 0, 1, 0, 0),
        HEADER.pack(8, 1, 0, 1, 1, 0, 0),
        HEADER.pack(8, 2, 1, 2, 1, 0, 0),
        HEADER.pack(2**32 - 1, 2, 1, 0, 1, 0, 0),
    ],
)
def test_headers_that_are_none(header: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        list(FrameReader().feed(header))


def test_padding_that_is_not_zero() -> None:
    data = wire(message(1))[:-1] + b"x"
    with pytest.raises(RemoteProtocolError, match="padding"):
        list(FrameReader().feed(data))


def test_what_may_not_be_sent() -> None:
    for frame in (message(MESSAGE_LIMIT + 1), Frame(Kind.DATA, Lane.BULK, 1, 0, 1, bytes(DATA_LIMIT + 1))):
        with pytest.raises(LocalProtocolError):
            encode_frame(frame)
    with pytest.raises(LocalProtocolError):
        encode_frame(Frame(Kind.MESSAGE, Lane.CONTROL, -1, 0, 0, b""))


def test_a_first_message_without_a_limit_of_its_own() -> None:
    """A session takes a welcome with a large environment: it is the agent that can't trust who comes first."""
    large = Frame(Kind.MESSAGE, Lane.CONTROL, 1, 0, 0, bytes(FIRST_LIMIT + 8))

    assert list(FrameReader(MESSAGE_LIMIT).feed(wire(large))) == [large]
