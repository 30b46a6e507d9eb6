"""A port-forward in a websocket, as Kubernetes speaks it under the name `v4.channel.k8s.io`: bytes in, events out. No I/O.

A message's first byte is its channel: 0 for data, 1 for errors. The first message of each channel has the port and
nothing else. https://kubernetes.io/docs/reference/command-line-tools-reference/ doesn't tell of it; the server's
k8s.io/kubelet/pkg/cri/streaming/portforward does.

There is no answer to a connection: where nobody listens on the port, an error comes some time after the first bytes.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from websockets.client import ClientProtocol
from websockets.exceptions import ProtocolError
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import parse_uri

from mirrord_cli.session.reaching.machine import Place

SUBPROTOCOL = "v4.channel.k8s.io"
DATA, ERROR = 0, 1
PIECE = 128 << 10
"""Bytes of data in one message: servers read a message as a whole."""
MOST = 4 << 20
"""Bytes of a message that may come."""
MOST_SAID = 4096
"""Bytes of an error that may come."""
REFUSED = b"refused"


@dataclass(frozen=True, slots=True)
class Opened:
    """The server takes the port-forward."""


@dataclass(frozen=True, slots=True)
class Came:
    """Bytes of the port."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Unheard:
    """Nobody listens on the port."""


@dataclass(frozen=True, slots=True)
class Turned:
    """The server refuses: HTTP's status, and what it says."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing more comes; the reason, or empty if it was the port's end."""

    reason: str = ""


Event = Opened | Came | Unheard | Turned | Ended


class Stage(enum.Enum):
    """Where a port-forward is."""

    ASKED = "asked"
    """For the websocket."""
    OPEN = "open"
    OVER = "over"


class Forward:
    """One port of one pod."""

    def __init__(self, place: Place, headers: tuple[tuple[str, str], ...], namespace: str, pod: str, port: int) -> None:
        path = f"/api/v1/namespaces/{quote(namespace, safe='')}/pods/{quote(pod, safe='')}/portforward?ports={port}"
        uri = parse_uri(f"{'wss' if place.secure else 'ws'}://{place.authority}{place.prefix}{path}")
        self._port = struct.pack("<H", port)
        self._socket = ClientProtocol(uri, subprotocols=[SUBPROTOCOL], max_size=MOST)  # type: ignore[list-item]
        request = self._socket.connect()
        for name, value in headers:
            request.headers[name] = value
        self._socket.send_request(request)
        self._named = {DATA: False, ERROR: False}
        self._said = b""
        self.stage = Stage.ASKED

    def pull(self) -> bytes:
        """Return the bytes that are to be sent to the server now."""
        return b"".join(self._socket.data_to_send())

    def send(self, data: bytes | memoryview) -> None:
        """Have bytes sent to the port."""
        assert self.stage is Stage.OPEN
        view = memoryview(data)
        for start in range(0, len(view), PIECE):
            self._socket.send_binary(b"".join((b"\0", view[start : start + PIECE])))

    def close(self) -> None:
        """Have a goodbye sent."""
        if self.stage is Stage.OPEN:
            self._socket.send_close(1000)
            self.stage = Stage.OVER

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes of the server; empty is its end."""
        if self.stage is Stage.OVER:
            return []
        if data:
            self._socket.receive_data(data)
        else:
            self._socket.receive_eof()
        events = list(self._events())
        return [*events, *self._closed(at_end=not data)]

    def _closed(self, *, at_end: bool) -> Iterator[Event]:
        """Yield the end, if it is here and nothing said so yet."""
        if self.stage is not Stage.OVER and (at_end or self._socket.state in {State.CLOSING, State.CLOSED}):
            self.stage = Stage.OVER
            yield self._end()

    def _events(self) -> Iterator[Event]:
        for event in self._socket.events_received():
            if isinstance(event, Response):
                yield self._answered(event)
            elif self.stage is Stage.OPEN and isinstance(event, Frame):
                yield from self._frame(event)

    def _answered(self, response: Response) -> Event:
        if self._socket.handshake_exc is not None:
            self.stage = Stage.OVER
            if response.status_code == 101:
                return Ended(f"the API server doesn't speak {SUBPROTOCOL}")
            return Turned(response.status_code, bytes(response.body))
        if self._socket.subprotocol != SUBPROTOCOL:
            self.stage = Stage.OVER
            return Ended(f"the API server doesn't speak {SUBPROTOCOL}")
        self.stage = Stage.OPEN
        return Opened()

    def _frame(self, frame: Frame) -> Iterator[Event]:
        if frame.opcode in {Opcode.PING, Opcode.PONG, Opcode.CLOSE}:
            return  # answered by the library
        if frame.opcode is not Opcode.BINARY or not frame.fin or not frame.data:
            yield self._break("the API server sent a message that isn't one of a port-forward")
            return
        channel, data = frame.data[0], bytes(memoryview(frame.data)[1:])
        if channel not in self._named:
            yield self._break(f"the API server sent something in channel {channel}")
        elif not self._named[channel]:
            self._named[channel] = True
            if data != self._port:
                yield self._break("the API server forwards another port")
        elif channel == DATA:
            yield Came(data)
        else:
            self._said = (self._said + data)[:MOST_SAID]
            self.stage = Stage.OVER
            yield Unheard() if REFUSED in self._said else Ended(self._said.decode(errors="replace").strip())

    def _break(self, reason: str) -> Event:
        self.stage = Stage.OVER
        return Ended(reason)

    def _end(self) -> Ended:
        if self._socket.handshake_exc is not None:
            return Ended("the API server's answer is no HTTP")
        if isinstance(self._socket.parser_exc, ProtocolError):
            return Ended(f"the API server broke the websocket: {self._socket.parser_exc}")
        code = self._socket.close_rcvd
        return Ended("" if code and code.code == 1000 else "the API server closed the port-forward")
