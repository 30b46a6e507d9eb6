"""What a session says to the command line until it is ready, and how that becomes bytes. No I/O.

Used on both sides: server.py writes, launch/session.py reads. One process was forked from the other, so both are of
the same version; all the same nothing read here is trusted to be whole. The table's descriptor travels beside `Ready`.
"""

from __future__ import annotations

from typing import Final

import msgspec

HEADER_SIZE: Final = 4
MOST: Final = 1 << 26
"""Bytes of a message: an environment has at most a few megabytes."""


class Progress(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """What the session is waiting for, in a few words."""

    text: str


class Failed(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """It won't become ready; the last message."""

    category: str
    """Whose turn it is: `you`, `configuration`, `cluster`, `us`."""
    text: str
    next_step: str


class Ready(msgspec.Struct, frozen=True, tag=True, array_like=True, kw_only=True):
    """Programs may start; the last message. The shared table's descriptor comes with it."""

    environment: tuple[tuple[bytes, bytes], ...]
    """The target's variables, as asked for; not yet merged with this machine's."""
    target_name: bytes
    target_pid: int
    socket_name: bytes
    """The abstract socket on which the session takes programs that lost their link, without the leading zero byte."""
    warnings: tuple[str, ...] = ()
    """What the user wanted and doesn't get, in whole sentences."""
    lacking: tuple[str, ...] = ()
    """The parts of the network that the target can't give, as `NetworkRules.without` takes them."""


Message = Progress | Failed | Ready

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Message)


class StatusBroken(ValueError):
    """The bytes aren't a session's."""


def encode(message: Message) -> bytes:
    """Return a message's bytes: its length, then itself. Bytes that are no text, as paths may have, are spelled out."""
    match message:
        case Progress(text):
            message = Progress(_plain(text))
        case Failed(category, text, next_step):
            message = Failed(category, _plain(text), _plain(next_step))
        case Ready(warnings=warnings):
            message = msgspec.structs.replace(message, warnings=tuple(map(_plain, warnings)))
    body = _encoder.encode(message)
    if len(body) > MOST:
        raise StatusBroken(f"{type(message).__name__}: {len(body)} bytes are too many")
    return len(body).to_bytes(HEADER_SIZE, "little") + body


def _plain(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()


class StatusReader:
    """Makes messages of bytes, however they are cut."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """Take what came from the session; return the messages that are whole now.

        Raises:
            StatusBroken: That isn't what a session says.
        """
        self._buffer += data
        messages: list[Message] = []
        while len(self._buffer) >= HEADER_SIZE:
            end = HEADER_SIZE + int.from_bytes(self._buffer[:HEADER_SIZE], "little")
            if end > HEADER_SIZE + MOST:
                raise StatusBroken(f"a message of {end - HEADER_SIZE} bytes")
            if len(self._buffer) < end:
                break
            try:
                messages.append(_decoder.decode(memoryview(self._buffer)[HEADER_SIZE:end]))
            except msgspec.DecodeError as error:
                raise StatusBroken(str(error)) from None
            del self._buffer[:end]
        return messages
