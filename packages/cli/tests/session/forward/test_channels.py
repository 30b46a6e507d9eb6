"""Messages with channels: however they are cut, and what isn't right about them."""

from __future__ import annotations

import struct
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrord_cli.session.forward.channels import PIECE, Channels
from mirrord_cli.session.forward.events import Came, Ended, Event, Unheard

PORT = 30000
NAMED = struct.pack("<H", PORT)


def receive(channels: Channels, *messages: bytes) -> list[Event]:
    return [event for message in messages for event in channels.receive(memoryview(message), begins=True)]


def begun() -> Channels:
    channels = Channels(PORT)
    assert receive(channels, b"\0" + NAMED, b"\1" + NAMED) == []
    return channels


def came(events: Iterable[Event]) -> bytes:
    return b"".join(event.data for event in events if isinstance(event, Came))


def test_much_is_cut_into_messages() -> None:
    data = bytes(range(256)) * 1024
    messages = list(begun().wrap(memoryview(data)))

    assert b"".join(message[1:] for message in messages) == data
    assert all(len(message) <= PIECE + 1 and message[0] == 0 for message in messages)
    assert list(begun().wrap(memoryview(b""))) == []
    assert (begun().begin(), begun().answer()) == (b"", b"")


@given(st.lists(st.binary(max_size=9), max_size=9), st.integers(1, 4))
def test_how_a_channel_is_cut_means_nothing(pieces: list[bytes], size: int) -> None:
    whole = NAMED + b"".join(pieces)
    events = receive(Channels(PORT), *(b"\0" + whole[start : start + size] for start in range(0, len(whole), size)))

    assert came(events) == b"".join(pieces)


def test_a_message_in_parts() -> None:
    channels = begun()
    parts = (b"\0one ", True), (b"two ", False), (b"\0three", False), (b"", True)
    events = [event for part, begins in parts for event in channels.receive(memoryview(part), begins=begins)]

    assert came(events) == b"one two \0three"


def test_errors() -> None:
    assert receive(begun(), b"\1dial: connection refused") == [Unheard()]
    assert receive(begun(), b"\0so far", b"\1gone") == [Came(memoryview(b"so far")), Ended("gone")]
    assert receive(begun(), b"\1") == []


@pytest.mark.parametrize(
    ("message", "reason"), [(b"\2x", "something in channel 2"), (b"\xff", "something in channel 255")]
)
def test_other_channels(message: bytes, reason: str) -> None:
    (event,) = receive(begun(), message)

    assert isinstance(event, Ended) and reason in event.reason


def test_another_port() -> None:
    for message in (b"\0\x31", b"\1" + NAMED[:1] + b"\0"):
        assert receive(Channels(PORT), message) == [Ended("the API server forwards another port")]
