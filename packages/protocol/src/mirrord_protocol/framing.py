"""Frames: bytes on a connection to headers and payloads, and back. No I/O, no meaning: numbers, lanes' order and
credit are connection.py's business.

What arrives is parsed in the buffers it arrived in: a payload is copied only if it lies across two of them.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator
from typing import NamedTuple

from mirrord_protocol.failure import LocalProtocolError, RemoteProtocolError

HEADER = struct.Struct("<IBBHQQQ")
ALIGNMENT = 8
FIRST_LIMIT = 64 << 10
"""Bytes of the first message to an agent, before the token was checked."""
MESSAGE_LIMIT = 1 << 20
DATA_LIMIT = 64 << 10
END = 1 << 0
"""The flag of a stream's last data frame."""


COPIED = 1 << 10
"""Bytes up to which copying a payload behind its header costs less than a further piece."""
_PADDING = tuple(bytes(-size % ALIGNMENT) for size in range(ALIGNMENT))


class Kind(enum.IntEnum):
    MESSAGE = 1
    DATA = 2


class Lane(enum.IntEnum):
    CONTROL = 0
    BULK = 1


_DATA, _MESSAGE, _BULK = int(Kind.DATA), int(Kind.MESSAGE), int(Lane.BULK)
_KINDS = {int(kind): kind for kind in Kind}
_LANES = {int(lane): lane for lane in Lane}
"""Looking these up takes a fraction of what an enumeration's call does."""


class Frame(NamedTuple):
    """One frame. A tuple, since thousands are made in a second."""

    kind: Kind
    lane: Lane
    number: int
    acknowledged: int
    id: int
    payload: bytes | memoryview
    end: bool = False

    @property
    def size(self) -> int:
        """Bytes on the connection."""
        return HEADER.size + len(self.payload) + -len(self.payload) % ALIGNMENT


def encode(
    pieces: list[bytes | memoryview],
    kind: int,
    lane: int,
    number: int,
    acknowledged: int,
    id_: int,
    payload: bytes | memoryview,
    end: bool,  # noqa: FBT001 - called for every frame, where names cost
) -> int:
    """Add the pieces of a frame in the order of sending, a large payload uncopied; return the frame's bytes.

    Raises LocalProtocolError for a payload over its limit or a number that doesn't fit.
    """
    size = len(payload)
    if size > (DATA_LIMIT if kind == _DATA else MESSAGE_LIMIT):
        raise LocalProtocolError(f"a frame of {size} bytes")
    try:
        header = HEADER.pack(size, kind, lane, END if end else 0, number, acknowledged, id_)
    except struct.error as error:
        raise LocalProtocolError(f"a frame's header: {error}") from error
    padding = _PADDING[size % ALIGNMENT]
    if size <= COPIED:
        pieces.append(b"".join((header, payload, padding)))
    else:
        pieces += (header, payload, padding) if padding else (header, payload)
    return HEADER.size + size + len(padding)


def encode_frame(frame: Frame) -> list[bytes | memoryview]:
    """Return the pieces of a frame; see `encode`."""
    pieces: list[bytes | memoryview] = []
    encode(pieces, frame.kind, frame.lane, frame.number, frame.acknowledged, frame.id, frame.payload, frame.end)
    return pieces


class FrameReader:
    """Bytes in, frames out. After an error it must not be fed again."""

    def __init__(self, first_limit: int = FIRST_LIMIT) -> None:
        self._limit = first_limit
        self._waiting = bytearray()
        self._wanted = HEADER.size  # bytes of the waiting frame that are known to be needed

    def feed(self, data: bytes | memoryview) -> Iterator[Frame]:
        """Yield the frames that `data` completes; data frames' payloads are views into it where they can be.

        The caller takes all of them before it feeds again. Raises RemoteProtocolError at the first byte that can't
        be part of a frame.
        """
        view, at = memoryview(data), 0
        while self._waiting:
            missing = self._wanted - len(self._waiting)
            self._waiting += view[at : at + missing]
            at += missing
            if len(self._waiting) < self._wanted:
                return
            header = HEADER.unpack_from(self._waiting)
            size = self._frame_size(header)
            if size > self._wanted:
                self._wanted = size
            else:
                whole = memoryview(self._waiting)  # nobody else writes there any more
                self._waiting, self._wanted = bytearray(), HEADER.size
                yield self._frame(header, whole, 0, size)
        end = len(view)
        while end - at >= HEADER.size:
            header = HEADER.unpack_from(view, at)
            size = self._frame_size(header)
            if end - at < size:
                self._wanted = size
                break
            yield self._frame(header, view, at, at + size)
            at += size
        if at < end:
            self._waiting += view[at:]

    @property
    def waiting(self) -> int:
        """Bytes of a frame that isn't complete."""
        return len(self._waiting)

    def _frame_size(self, header: tuple[int, ...]) -> int:
        """Check a header; return the bytes of the whole frame."""
        size, kind, lane, flags = header[:4]
        if kind == _DATA:
            limit, known_flags = DATA_LIMIT, END
        elif kind == _MESSAGE:
            limit, known_flags = self._limit, 0
        else:
            raise RemoteProtocolError(f"a frame of the unknown kind {kind}")
        if size > limit:
            raise RemoteProtocolError(f"a frame of {size} bytes, where {limit} are allowed")
        if lane > _BULK or flags & ~known_flags:
            raise RemoteProtocolError(f"a frame with lane {lane} and flags {flags:#x}")
        return HEADER.size + size + -size % ALIGNMENT

    def _frame(self, header: tuple[int, ...], view: memoryview, at: int, after: int) -> Frame:
        size, kind, lane, flags, number, acknowledged, id_ = header
        self._limit = MESSAGE_LIMIT
        at += HEADER.size
        end = at + size
        if end != after and view[end:after] != _PADDING[size % ALIGNMENT]:
            raise RemoteProtocolError("a frame's padding isn't zero")
        return Frame(_KINDS[kind], _LANES[lane], number, acknowledged, id_, view[at:end], flags & END != 0)
