"""A port-forward in a websocket, as Kubernetes speaks it under the name `v4.channel.k8s.io`: bytes in, events out. No I/O.

A message's first byte is its channel: 0 for data, 1 for errors. A channel begins with its port, two bytes, by which the
server shows that it is there. What a channel carries after that is a stream: how it is cut into messages means nothing.
The servers' code is k8s.io/kubelet/pkg/cri/streaming/portforward.

There is no answer to a connection: where nobody listens on the port, an error comes some time after the first bytes.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from mirrord_cli.session.reaching.machine import Place

SUBPROTOCOL = Subprotocol("v4.channel.k8s.io")
DATA, ERROR = 0, 1
PIECE = 256 << 10
"""Bytes of data in one message: servers collect a message as a whole, in a buffer that grows by and by."""
MOST = 4 << 20
"""Bytes of a message that may come."""
MOST_SAID = 4096
"""Bytes of an error that may come."""
USUAL = frozenset({1000, 1001, 1005})
"""Codes of a goodbye that is no failure: done, going away, none said (RFC 6455 7.4.1)."""
REFUSED = b"connection refused"
"""What container runtimes say where nobody listens, in small letters."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The server takes the port-forward."""


@dataclass(frozen=True, slots=True)
class Came:
    """Bytes of the port."""

    data: memoryview


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
        self._socket = ClientProtocol(uri, subprotocols=[SUBPROTOCOL], max_size=MOST)
        request = self._socket.connect()
        for name, value in headers:
            request.headers[name] = value
        self._socket.send_request(request)
        self._port = struct.pack("<H", port)
        self._begun = {DATA: b"", ERROR: b""}
        """What came of each channel's port."""
        self._channel = DATA
        """Of the message that is coming in parts."""
        self._said = b""
        self.stage = Stage.ASKED

    def pull(self) -> bytes:
        """Return the bytes that are to be sent to the server now."""
        return b"".join(self._socket.data_to_send())

    def send(self, data: bytes | bytearray | memoryview) -> None:
        """Have bytes sent to the port."""
        assert self.stage is Stage.OPEN
        view = memoryview(data)
        for start in range(0, len(view), PIECE):
            self._socket.send_binary(b"".join((b"\0", view[start : start + PIECE])))

    def close(self) -> None:
        """Have a goodbye sent."""
        if self.stage is Stage.OPEN:
            self.stage = Stage.OVER
            self._socket.send_close(1000)

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes of the server; empty is its end."""
        if self.stage is Stage.OVER:
            return []
        if data:
            self._socket.receive_data(data)
        else:
            self._socket.receive_eof()
        events = list(self._events())
        if not self._is_over() and (not data or self._socket.state in {State.CLOSING, State.CLOSED}):
            events.append(self._end())
        return events

    def _is_over(self) -> bool:
        return self.stage is Stage.OVER

    def _events(self) -> Iterator[Event]:
        for event in self._socket.events_received():
            if self.stage is Stage.ASKED and isinstance(event, Response):
                yield self._answered(event)
            elif self.stage is Stage.OPEN and isinstance(event, Frame):
                yield from self._frame(event)

    def _answered(self, response: Response) -> Event:
        if response.status_code != 101:
            self.stage = Stage.OVER
            return Turned(response.status_code, bytes(response.body))
        if self._socket.handshake_exc is not None or self._socket.subprotocol != SUBPROTOCOL:
            self.stage = Stage.OVER
            return Turned(101, f"the API server, or what is before it, doesn't speak {SUBPROTOCOL}".encode())
        self.stage = Stage.OPEN
        return Opened()

    def _frame(self, frame: Frame) -> Iterator[Event]:
        data = memoryview(frame.data)
        if frame.opcode is Opcode.BINARY:
            if not data:
                return
            self._channel, data = data[0], data[1:]
        elif frame.opcode is Opcode.TEXT:
            yield self._break("the API server sent text in a port-forward")
            return
        elif frame.opcode is not Opcode.CONT:
            return  # answered by the library
        begun = self._begun.get(self._channel)
        if begun is None:
            yield self._break(f"the API server sent something in channel {self._channel}")
            return
        if missing := len(self._port) - len(begun):
            self._begun[self._channel] = begun = begun + bytes(data[:missing])
            data = data[missing:]
            if not self._port.startswith(begun):
                yield self._break("the API server forwards another port")
                return
        if data:
            yield Came(data) if self._channel == DATA else self._fail(bytes(data[:MOST_SAID]))

    def _fail(self, said: bytes) -> Event:
        if REFUSED in said.lower():
            self.stage = Stage.OVER
            return Unheard()
        lines = said.decode(errors="replace").strip().splitlines()
        return self._break(lines[0] if lines else "the API server doesn't say why")

    def _break(self, reason: str) -> Ended:
        self.stage = Stage.OVER
        return Ended(reason)

    def _end(self) -> Ended:
        """Return what the websocket's end means."""
        asked = self.stage is Stage.ASKED
        self.stage = Stage.OVER
        if asked:
            return Ended("the API server's answer is none of HTTP, or was cut")
        goodbye = self._socket.close_rcvd
        if goodbye is None and self._socket.close_sent is not None:  # by the library, which found a mistake
            return Ended(f"the API server broke the websocket: {self._socket.close_sent.reason}")
        if goodbye is None or goodbye.code not in USUAL:
            why = f": {goodbye.reason or goodbye.code}" if goodbye else ""
            return Ended(f"the API server closed the port-forward{why}")
        return Ended()
