"""The order of sending: control first, bulk streams in turn, as far as the pace lets."""

from __future__ import annotations

import pytest

from mirrord_protocol.failure import LocalProtocolError
from mirrord_protocol.framing import DATA_LIMIT, MESSAGE_LIMIT, Frame, FrameReader, Kind, Lane
from mirrord_protocol.lanes import QUEUE, QUEUES, SMALL, SPARE, Lanes
from mirrord_protocol.pace import FLOOR


def pull(lanes: Lanes, now: float = 0.0) -> list[Frame]:
    return list(FrameReader().feed(b"".join(lanes.pull(0, now))))


def test_control_overtakes_bulk() -> None:
    lanes = Lanes()
    lanes.put_data(1, b"bulk", end=False)
    lanes.put_control(2, bytes(8))

    assert [(frame.id, frame.lane, frame.number) for frame in pull(lanes)] == [(2, Lane.CONTROL, 1), (1, Lane.BULK, 2)]
    assert not lanes.waiting


def test_streams_take_turns() -> None:
    lanes = Lanes()
    for id_ in (1, 1, 1, 2, 2, 3):
        lanes.put_data(id_, bytes(8), end=False)

    assert [frame.id for frame in pull(lanes)] == [1, 2, 3, 1, 2, 1]


def test_a_stream_that_has_little_to_send_goes_before_others_turns() -> None:
    lanes = Lanes()
    for _ in range(5):
        lanes.put_data(1, bytes(DATA_LIMIT), end=False)
    lanes.put_data(2, b"request", end=False)
    lanes.put_data(3, b"request", end=True)
    lanes.put_data(2, b"more", end=False)
    lanes.put_data(4, bytes(SMALL + 1), end=False)

    assert [frame.id for frame in pull(lanes)] == [2, 3, 1, 2, 4, 1, 1]


def test_bulk_does_not_hold_up_what_is_small() -> None:
    lanes = Lanes()
    for _ in range(8):
        lanes.put_data(1, bytes(DATA_LIMIT), end=False)
    pull(lanes)
    lanes.put_data(2, b"request", end=False)

    assert lanes.waiting
    assert [frame.id for frame in pull(lanes)] == [2]


def test_even_what_is_small_has_its_limit() -> None:
    lanes = Lanes()
    lanes.put_data(1, bytes(DATA_LIMIT), end=False)
    for id_ in range(2, 200):
        lanes.put_data(id_, bytes(SMALL), end=False)
    sent = 0
    while frames := pull(lanes):
        sent += sum(len(frame.payload) for frame in frames)

    assert FLOOR < sent <= FLOOR + SPARE
    assert not lanes.waiting
    lanes.pace.acknowledged(lanes.number, 0.1)
    assert lanes.waiting


def test_small_frames_of_an_id_that_is_dropped_leave_no_trace() -> None:
    lanes = Lanes()
    for id_ in (1, 2, 3):
        lanes.put_data(id_, b"small", end=False)
    lanes.put_data(2, bytes(DATA_LIMIT), end=False)
    lanes.drop(2)

    assert [frame.id for frame in pull(lanes)] == [1, 3]
    assert lanes.room_for_frames == QUEUES // DATA_LIMIT


def test_data_of_any_length() -> None:
    lanes = Lanes()
    lanes.put_stream(1, bytes(2 * DATA_LIMIT + 1), end=True)
    lanes.put_stream(2, b"", end=False)
    lanes.put_stream(3, b"", end=True)
    frames = pull(lanes)

    assert [(frame.id, len(frame.payload), frame.end) for frame in frames] == [
        (3, 0, True), (1, DATA_LIMIT, False), (1, DATA_LIMIT, False), (1, 1, True),
    ]  # fmt: skip


def test_a_streams_own_order_is_kept_with_its_end() -> None:
    lanes = Lanes()
    lanes.put_data(1, b"a", end=False)
    lanes.put_data(1, b"b", end=False)
    lanes.put_bulk_message(1, bytes(8))

    assert [(frame.kind, bytes(frame.payload)[:1]) for frame in pull(lanes)] == [
        (Kind.DATA, b"a"),
        (Kind.DATA, b"b"),
        (Kind.MESSAGE, b"\0"),
    ]


def test_bulk_stops_where_the_pace_does_and_control_does_not() -> None:
    lanes = Lanes()
    for _ in range(8):
        lanes.put_data(1, bytes(DATA_LIMIT), end=False)
    first = pull(lanes)

    assert len(first) == FLOOR // DATA_LIMIT
    assert (lanes.waiting, pull(lanes)) == (False, [])
    lanes.put_control(2, bytes(8))
    assert [frame.id for frame in pull(lanes)] == [2]
    lanes.pace.acknowledged(1, 0.1)
    assert (lanes.waiting, len(pull(lanes, 0.1))) == (True, 1)


def test_room() -> None:
    lanes = Lanes()

    assert lanes.room(1) == QUEUE
    for _ in range(3):
        lanes.put_data(1, bytes(DATA_LIMIT), end=False)
    assert lanes.room(1) == QUEUE - 3 * DATA_LIMIT
    for id_ in range(2, 2 + QUEUES // DATA_LIMIT):
        lanes.put_data(id_, bytes(DATA_LIMIT), end=False)
    assert lanes.room(1) == lanes.room_for_frames == 0
    pull(lanes)
    assert lanes.take_drained() == {1, 2, 3, 4}
    assert lanes.take_drained() == set()
    assert lanes.room_for_frames == 1


def test_dropped_streams_leave_no_trace() -> None:
    lanes = Lanes()
    for id_ in (1, 2):
        lanes.put_data(id_, bytes(100), end=False)
    lanes.drop(1)
    lanes.drop(7)

    assert lanes.take_drained() == {1}
    assert [frame.id for frame in pull(lanes)] == [2]
    assert lanes.room(1) == QUEUE
    lanes.put_data(3, bytes(100), end=False)
    lanes.put_control(0, bytes(8))
    lanes.clear()
    assert pull(lanes) == []
    assert lanes.room_for_frames == QUEUES // DATA_LIMIT


def test_limits() -> None:
    lanes = Lanes()
    with pytest.raises(LocalProtocolError):
        lanes.put_control(1, bytes(MESSAGE_LIMIT + 8))
    with pytest.raises(LocalProtocolError):
        lanes.put_data(1, bytes(DATA_LIMIT + 1), end=False)
