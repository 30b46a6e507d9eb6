"""A port-forward as two streams of SPDY/3.1, as `kubectl` does it: what servers from Kubernetes 1.31 on speak. No I/O.

The cluster's parts speak SPDY with each other in any case; an API server that takes it in a websocket hands it on as it
is, which costs the container runtime half of what messages with channels do. Frames are those of
draft-mbelshe-httpbis-spdy-00 with version 3; the streams' headers are read by
k8s.io/kubelet/pkg/cri/streaming/portforward/httpstream.go. There are no windows: who doesn't read holds the connection
up.

A connection to the port is a pair of streams. The next pair may be opened once one is over to which nothing was sent:
what the port doesn't take would hold up one of the few threads with which Go's library serves all streams.

The server's header blocks aren't looked at, so there is nothing to uncompress; ours are compressed without the
protocol's dictionary, which Go's reader takes only where the block says that it was used.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from mirrord_cli.session.forward.events import MOST_SAID, Accepted, Came, Ended, Event, failure_of

NAME = "SPDY/3.1+portforward.k8s.io"
FIRST, STEP = 1, 2
"""Numbers of streams: a client's are odd."""
PIECE = 128 << 10
"""Bytes of data in one frame."""
CONTROL = 0x8003_0000
SYN_STREAM, SYN_REPLY, RST_STREAM, PING = 1, 2, 3, 6
FIN = 0x01
HEAD = struct.Struct(">II")
NUMBER = struct.Struct(">I")
KEPT = 8
"""Bytes of a control frame that are looked at."""


class Spdy:
    """Connections to one port, one after the other: two streams each."""

    def __init__(self, port: int) -> None:
        self._port = str(port)
        self._deflate = zlib.compressobj()
        self._head = b""
        """Of the frame that is coming."""
        self._left = 0
        """Bytes of it that are still to come."""
        self._first = self._second = 0
        """The two words of its head."""
        self._control = b""
        self._pairs = 0
        self._error = self._data = 0
        """The streams' numbers."""
        self._open = set[int]()
        self._unanswered = set[int]()
        self._said = b""
        self._reason = ""
        self._answer = b""

    def begin(self) -> bytes:
        """Return what is to be sent first for a connection; the one before has to be over."""
        assert not self._open
        last = HEAD.pack(self._data, FIN << 24) if self._pairs else b""  # else the server would keep it
        self._error = FIRST + 2 * STEP * self._pairs  # before the data's, as kubectl does it
        self._data = self._error + STEP
        self._open, self._unanswered = {self._error, self._data}, {self._error, self._data}
        self._said, self._reason = b"", ""
        # Nothing is ever said in the stream of errors.
        begun = (
            self._stream(self._error, "error") + HEAD.pack(self._error, FIN << 24) + self._stream(self._data, "data")
        )
        self._pairs += 1
        return last + begun

    def wrap(self, data: memoryview) -> Iterator[bytes]:
        """Yield the messages that carry bytes to the port."""
        for start in range(0, len(data), PIECE):
            piece = data[start : start + PIECE]
            yield b"".join((HEAD.pack(self._data, len(piece)), piece))

    def receive(self, data: memoryview, *, begins: bool) -> Iterator[Event]:
        """Take a message, or a part of one: they mean nothing here."""
        del begins
        while data:
            if self._left == 0:
                missing = HEAD.size - len(self._head)
                self._head += bytes(data[:missing])
                data = data[missing:]
                if len(self._head) < HEAD.size:
                    return
                self._first, self._second = HEAD.unpack(self._head)
                self._head, self._control, self._left = b"", b"", self._second & 0xFFFFFF
                if self._is_control and self._first & 0xFFFF_0000 != CONTROL:
                    yield Ended("the API server speaks another SPDY")
                    return
            else:
                piece, data = data[: self._left], data[self._left :]
                self._left -= len(piece)
                if self._is_control:
                    self._control += bytes(piece[: KEPT - len(self._control)])
                elif self._first == self._data:
                    yield Came(piece)
                elif self._first == self._error:
                    self._said += bytes(piece[: MOST_SAID - len(self._said)])
            if self._left == 0:
                yield from self._whole()

    def answer(self) -> bytes:
        """Return what is to be sent because of what came."""
        answer, self._answer = self._answer, b""
        return answer

    @property
    def _is_control(self) -> bool:
        return bool(self._first >> 31)

    def _whole(self) -> Iterator[Event]:
        """Look at a frame that has come as a whole."""
        if not self._is_control:
            if self._second >> 24 & FIN:
                yield from self._finish(self._first, "")
            return
        number = NUMBER.unpack_from(self._control)[0] if len(self._control) >= NUMBER.size else 0
        match self._first & 0xFFFF:
            case kind if kind == SYN_REPLY:
                if self._unanswered:
                    self._unanswered.discard(number)
                    if not self._unanswered:
                        yield Accepted()
            case kind if kind == RST_STREAM:
                yield from self._finish(number, "the connection to the port was reset")
            case kind if kind == PING:
                if number and number % 2 == 0:  # the server's; an answer to one of ours would be odd
                    self._answer += HEAD.pack(CONTROL | PING, NUMBER.size) + NUMBER.pack(number)

    def _finish(self, stream: int, reason: str) -> Iterator[Event]:
        """Note a stream's end. What it means shows once both are over: an error may be said after the data's end."""
        if stream not in self._open:  # of a connection before
            return
        self._open.discard(stream)
        self._reason = self._reason or reason
        if not self._open:
            yield failure_of(self._said) if self._said else Ended(self._reason)

    def _stream(self, number: int, kind: str) -> bytes:
        headers = {"streamtype": kind, "port": self._port, "requestid": str(self._pairs)}
        plain = NUMBER.pack(len(headers))
        for each in (text.encode() for pair in headers.items() for text in pair):
            plain += NUMBER.pack(len(each)) + each
        block = self._deflate.compress(plain) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        body = NUMBER.pack(number) + NUMBER.pack(0) + b"\0\0" + block
        return HEAD.pack(CONTROL | SYN_STREAM, len(body)) + body
