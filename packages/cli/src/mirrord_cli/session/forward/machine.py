"""A port-forward in a websocket: bytes in, events out. No I/O; driver.py carries it.

The request is made in upgrade.py; what is spoken in the websocket, as the server chooses, is in spdy.py or channels.py.
Nothing says that somebody listens on the port: where nobody does, an error comes, by SPDY mostly with the acceptance of
the connection, by channels some time after the first bytes.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from urllib.parse import quote

from websockets.frames import Frame, Opcode
from websockets.protocol import CLIENT, Protocol, State

from mirrord_cli.session.forward import channels, spdy
from mirrord_cli.session.forward.channels import Channels
from mirrord_cli.session.forward.events import Came, Ended, Event, Opened, Turned, Unheard
from mirrord_cli.session.forward.spdy import Spdy
from mirrord_cli.session.forward.upgrade import NoAnswer, Upgrade
from mirrord_cli.session.reaching.machine import Place

PROTOCOLS = (spdy.NAME, channels.NAME)
SWITCHED = 101
MOST = 4 << 20
"""Bytes of a message that may come."""
USUAL = frozenset({1000, 1001, 1005})
"""Codes of a goodbye that is no failure: done, going away, none said (RFC 6455 7.4.1)."""


class Stage(enum.Enum):
    """Where a port-forward is."""

    ASKED = "asked"
    """For the websocket."""
    OPEN = "open"
    FREE = "free"
    """Nobody listened, and nothing was sent; the websocket has room for another connection."""
    OVER = "over"


class Forward:
    """One port of one pod.

    Args:
        place: The API server.
        headers: Of the request.
        namespace: The pod's.
        pod: Its name.
        port: On the loopback of its network.
        protocols: What may be spoken, the best first.
    """

    def __init__(
        self,
        place: Place,
        headers: Sequence[tuple[str, str]],
        namespace: str,
        pod: str,
        port: int,
        protocols: Sequence[str] = PROTOCOLS,
    ) -> None:
        path = f"/api/v1/namespaces/{quote(namespace, safe='')}/pods/{quote(pod, safe='')}/portforward?ports={port}"
        self._upgrade = Upgrade(place, path, headers, protocols)
        self._unsent = [self._upgrade.request]
        self._socket = Protocol(CLIENT, max_size=MOST)
        self._spoken: Spdy | Channels = Spdy(port)
        self._port = port
        self._again = False
        """It isn't the first connection."""
        self._sent = False
        """Something was sent to the port."""
        self.stage = Stage.ASKED

    @property
    def protocol(self) -> str:
        """What is spoken, once it is open."""
        return self._upgrade.protocol

    @property
    def accepts(self) -> bool:
        """Whether the server says that it has a connection, and lets another one follow where nobody listened."""
        return isinstance(self._spoken, Spdy)

    def pull(self) -> bytes:
        """Return the bytes that are to be sent to the server now."""
        unsent, self._unsent = [*self._unsent, *self._socket.data_to_send()], []
        return unsent[0] if len(unsent) == 1 else b"".join(unsent)

    def again(self) -> None:
        """Have another connection made, after one to which nobody listened."""
        assert self.stage is Stage.FREE
        self._socket.send_binary(self._spoken.begin())
        self.stage, self._again = Stage.OPEN, True

    def send(self, data: bytes | bytearray | memoryview) -> None:
        """Have bytes sent to the port."""
        assert self.stage is Stage.OPEN
        self._sent = True
        for message in self._spoken.wrap(memoryview(data)):
            self._socket.send_binary(message)

    def close(self) -> None:
        """Have a goodbye sent."""
        if self.stage in {Stage.OPEN, Stage.FREE}:
            self.stage = Stage.OVER
            self._socket.send_close(1000)

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes of the server; empty is its end."""
        if self.stage is Stage.OVER:
            return []
        if self.stage is Stage.ASKED:
            answered = list(self._answered(data))
            return answered + self.receive(self._upgrade.rest) if self._upgrade.rest else answered
        events = list[Event]()
        if data:
            self._socket.receive_data(data)
        else:
            self._socket.receive_eof()
        for event in self._events():
            events.append(event)
            match event:
                case Unheard() if self.accepts and not self._sent:
                    self.stage = Stage.FREE
                case Unheard() | Ended():
                    self.stage = Stage.OVER
                    return events
        if not data or self._socket.state in {State.CLOSING, State.CLOSED}:
            if self.stage is Stage.OPEN:
                # Something on the way may end a websocket that seems idle: the port had no part in that.
                idle = self._again and not self._sent and not any(isinstance(event, Came) for event in events)
                events.append(Unheard() if idle else self._end())
            self.stage = Stage.OVER
        return events

    def _answered(self, data: bytes) -> Iterator[Event]:
        try:
            if not self._upgrade.receive(data):
                return
        except NoAnswer:
            self.stage = Stage.OVER
            yield Ended("the API server's answer is none of HTTP, or was cut")
            return
        if self._upgrade.status != SWITCHED:
            self.stage = Stage.OVER
            yield Turned(self._upgrade.status, self._upgrade.body)
        elif not self.protocol:
            self.stage = Stage.OVER
            yield Turned(SWITCHED, b"the API server, or what is before it, speaks another protocol in websockets")
        else:
            if self.protocol == channels.NAME:
                self._spoken = Channels(self._port)
            self.stage = Stage.OPEN
            if first := self._spoken.begin():
                self._socket.send_binary(first)
            yield Opened()

    def _events(self) -> Iterator[Event]:
        for event in self._socket.events_received():
            assert isinstance(event, Frame)
            if event.opcode is Opcode.TEXT:
                yield Ended("the API server sent text in a port-forward")
            elif event.opcode in {Opcode.BINARY, Opcode.CONT}:
                yield from self._spoken.receive(memoryview(event.data), begins=event.opcode is Opcode.BINARY)
        if (answer := self._spoken.answer()) and self._socket.state is State.OPEN:
            self._socket.send_binary(answer)

    def _end(self) -> Ended:
        """Return what the websocket's end means."""
        goodbye = self._socket.close_rcvd
        if goodbye is None and self._socket.close_sent is not None:  # by the library, which found a mistake
            return Ended(f"the API server broke the websocket: {self._socket.close_sent.reason}")
        if goodbye is None or goodbye.code not in USUAL:
            why = f": {goodbye.reason or goodbye.code}" if goodbye else ""
            return Ended(f"the API server closed the port-forward{why}")
        return Ended()
