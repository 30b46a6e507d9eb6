"""Messages between the command line and its session as bytes: a length, then msgpack. No I/O.

One process was forked from the other, so both are of the same version; all the same nothing read here is trusted to be
whole. The messages are in status.py and instructions.py.
"""

from __future__ import annotations

from typing import Any, Final, Generic, TypeVar

import msgspec

HEADER_SIZE: Final = 4
MOST: Final = 1 << 26
"""Bytes of a message: an environment has at most a few megabytes."""

T = TypeVar("T")
_encoder: Final = msgspec.msgpack.Encoder()


class FrameBroken(ValueError):
    """The bytes aren't what the other process says."""


def frame(message: msgspec.Struct) -> bytes:
    """Return a message's bytes: its length, then itself."""
    body = _encoder.encode(message)
    if len(body) > MOST:
        raise FrameBroken(f"{type(message).__name__}: {len(body)} bytes are too many")
    return len(body).to_bytes(HEADER_SIZE, "little") + body


class Reader(Generic[T]):
    """Makes messages of bytes, however they are cut.

    Args:
        kind: The union of the messages that may come.
    """

    def __init__(self, kind: Any) -> None:
        self._decoder = msgspec.msgpack.Decoder[T](kind)
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[T]:
        """Take what came; return the messages that are whole now.

        Raises:
            FrameBroken: That isn't what the other process says.
        """
        self._buffer += data
        messages: list[T] = []
        while len(self._buffer) >= HEADER_SIZE:
            end = HEADER_SIZE + int.from_bytes(self._buffer[:HEADER_SIZE], "little")
            if end > HEADER_SIZE + MOST:
                raise FrameBroken(f"a message of {end - HEADER_SIZE} bytes")
            if len(self._buffer) < end:
                break
            try:
                messages.append(self._decoder.decode(memoryview(self._buffer)[HEADER_SIZE:end]))
            except msgspec.DecodeError as error:
                raise FrameBroken(str(error)) from None
            del self._buffer[:end]
        return messages
