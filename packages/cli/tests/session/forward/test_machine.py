"""A port-forward's bytes and events in a websocket: whole, byte by byte, in parts, refused, broken, and at random."""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import SERVER, Protocol

from mirrord_cli.session.forward.events import Came, Ended, Event, Opened, Turned, Unheard
from mirrord_cli.session.forward.machine import MOST, PROTOCOLS, Forward, Stage
from mirrord_cli.session.reaching.machine import place_of

PORT = 30000
NAMED = struct.pack("<H", PORT)
SPDY, CHANNELS = PROTOCOLS
BOTH = pytest.mark.parametrize("protocol", PROTOCOLS)


class Server:
    """The other side of a websocket, and what it says first in either protocol."""

    def __init__(self, protocol: str) -> None:
        self.protocol = protocol
        self.socket = Protocol(SERVER, max_size=None)

    def greet(self, request: bytes) -> bytes:
        """The answer to the request."""
        headers = dict(line.split(b": ", 1) for line in request.split(b"\r\n")[1:] if line)
        key = headers[b"Sec-WebSocket-Key"] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key).digest()).decode()
        lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
        lines += [f"Sec-WebSocket-Accept: {accept}", f"Sec-WebSocket-Protocol: {self.protocol}"]
        first = self.message(b"\0" + NAMED) + self.message(b"\1" + NAMED) if self.protocol == CHANNELS else b""
        return "\r\n".join([*lines, "", ""]).encode() + first

    def message(self, data: bytes) -> bytes:
        return self.frame(Opcode.BINARY, data)

    def data(self, data: bytes) -> bytes:
        return self.message(b"\0" + data if self.protocol == CHANNELS else struct.pack(">II", 3, len(data)) + data)

    def fail(self, said: bytes) -> bytes:
        if self.protocol == CHANNELS:
            return self.message(b"\1" + said)
        end = struct.pack(">II", 3, 1 << 24)
        return self.message(end) + self.message(struct.pack(">II", 1, 1 << 24 | len(said)) + said)

    @staticmethod
    def frame(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
        return Frame(opcode, data, fin).serialize(mask=False)

    @staticmethod
    def goodbye(code: int | None = 1000, reason: str = "") -> bytes:
        return Server.frame(Opcode.CLOSE, b"" if code is None else struct.pack(">H", code) + reason.encode())

    def receive(self, data: bytes) -> list[Frame]:
        self.socket.receive_data(data)
        return [event for event in self.socket.events_received() if isinstance(event, Frame)]


def new() -> Forward:
    return Forward(place_of("https://api.test:6443/prefix"), (("Authorization", "Bearer t"),), "sh/op", "w?b", PORT)


def begun(protocol: str = SPDY) -> tuple[Forward, Server]:
    forward, server = new(), Server(protocol)
    assert forward.receive(server.greet(forward.pull())) == [Opened()]
    assert forward.protocol == protocol
    server.receive(forward.pull())
    return forward, server


def stage(forward: Forward) -> Stage:
    return forward.stage


def came(events: Iterable[Event]) -> bytes:
    return b"".join(event.data for event in events if isinstance(event, Came))


def test_the_request() -> None:
    request = new().pull()

    assert request.startswith(b"GET /prefix/api/v1/namespaces/sh%2Fop/pods/w%3Fb/portforward?ports=30000 HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Bearer t\r\n" in request


def test_what_is_said_first() -> None:
    forward, server = new(), Server(SPDY)
    forward.receive(server.greet(forward.pull()))
    (frame,) = server.receive(forward.pull())
    assert frame.data[:4] == b"\x80\3\0\1"

    forward, server = new(), Server(CHANNELS)
    forward.receive(server.greet(forward.pull()))
    assert forward.pull() == b""


@BOTH
def test_bytes_go_both_ways(protocol: str) -> None:
    forward, server = begun(protocol)

    forward.send(b"hello")
    (frame,) = server.receive(forward.pull())
    assert bytes(frame.data).endswith(b"hello") and frame.opcode is Opcode.BINARY
    assert came(forward.receive(server.data(b"wor") + server.data(b"ld"))) == b"world"
    assert forward.stage is Stage.OPEN
    assert forward.pull() == b""


@BOTH
def test_byte_by_byte(protocol: str) -> None:
    forward, server = new(), Server(protocol)
    data = server.greet(forward.pull()) + server.data(b"x" * 300) + server.data(b"y") + server.goodbye()
    events = [event for byte in data for event in forward.receive(bytes((byte,)))]

    assert events[0] == Opened()
    assert came(events) == b"x" * 300 + b"y"
    assert events[-1] == Ended()


def test_a_goodbye_with_a_question_before_it() -> None:
    """SPDY's, which can't be answered any more."""
    forward, server = begun()

    assert forward.receive(server.message(struct.pack(">III", 0x8003_0006, 4, 2)) + server.goodbye()) == [Ended()]


@BOTH
def test_what_something_in_between_has_cut(protocol: str) -> None:
    forward, server = begun(protocol)
    whole = server.data(b"one two three")[2:]
    events = forward.receive(server.frame(Opcode.BINARY, whole[:4], fin=False))
    events += forward.receive(server.frame(Opcode.PING, b"?") + server.frame(Opcode.CONT, whole[4:7], fin=False))
    events += forward.receive(server.frame(Opcode.CONT, whole[7:]))

    assert came(events) == b"one two three"


def test_pings_are_answered_and_nothing_is_nothing() -> None:
    forward, server = begun()

    assert forward.receive(server.frame(Opcode.PING, b"there?") + server.frame(Opcode.PONG, b"")) == []
    assert forward.receive(server.message(b"")) == []
    assert forward.receive(server.message(struct.pack(">III", 0x8003_0006, 4, 2))) == []
    assert [(frame.opcode, bytes(frame.data)) for frame in server.receive(forward.pull())] == [
        (Opcode.PONG, b"there?"),
        (Opcode.BINARY, struct.pack(">III", 0x8003_0006, 4, 2)),
    ]


def test_nobody_listens_by_messages_with_channels() -> None:
    forward, server = begun(CHANNELS)

    events = forward.receive(server.data(b"x") + server.fail(b"connect: connection refused") + server.goodbye())
    assert events == [Came(memoryview(b"x")), Unheard()]
    assert forward.stage is Stage.OVER
    assert forward.receive(b"more") == []


def test_nobody_listens_and_then_somebody_does() -> None:
    forward, server = begun()

    assert forward.receive(server.fail(b"connect: connection refused")) == [Unheard()]
    assert stage(forward) is Stage.FREE
    forward.again()
    assert stage(forward) is Stage.OPEN
    (frame,) = server.receive(forward.pull())
    assert frame.data[:12] == struct.pack(">II", 3, 1 << 24) + b"\x80\3\0\1"
    forward.send(b"hello")
    (frame,) = server.receive(forward.pull())
    assert bytes(frame.data) == struct.pack(">II", 7, 5) + b"hello"
    assert forward.receive(server.message(struct.pack(">II", 7, 2) + b"hi")) == [Came(memoryview(b"hi"))]
    assert forward.receive(server.goodbye()) == [Ended()]


def test_nobody_listens_to_what_was_sent() -> None:
    """It is in the way of what would follow."""
    forward, server = begun()
    forward.send(b"hello")

    assert forward.receive(server.fail(b"connect: connection refused")) == [Unheard()]
    assert forward.stage is Stage.OVER


@pytest.mark.parametrize("end", [Server.goodbye(), Server.goodbye(1011, "idle"), b""])
def test_a_websocket_that_ended_while_nothing_was_in_it(end: bytes) -> None:
    """The port had no part in that, so nobody was heard there; what came before the end makes it one."""
    forward, server = begun()
    forward.receive(server.fail(b"connect: connection refused"))
    forward.again()

    assert forward.receive(end) == [Unheard()]
    assert forward.stage is Stage.OVER


def test_a_websocket_that_ends_with_nobody_there() -> None:
    forward, server = begun()

    assert forward.receive(server.fail(b"connect: connection refused") + server.goodbye()) == [Unheard()]
    assert forward.stage is Stage.OVER
    forward, server = begun()
    forward.receive(server.fail(b"connect: connection refused"))
    forward.close()
    assert server.receive(forward.pull())[-1].opcode is Opcode.CLOSE


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (Frame(Opcode.TEXT, b"hello").serialize(mask=False), "sent text"),
        (Frame(Opcode.BINARY, b"\0hello").serialize(mask=True), "broke the websocket: incorrect masking"),
        (Frame(Opcode.CONT, b"hello").serialize(mask=False), "broke the websocket: unexpected continuation frame"),
        (Frame(Opcode.BINARY, b"\x80\2\0\1\0\0\0\0").serialize(mask=False), "another SPDY"),
        (b"\xff\xff", "broke the websocket"),
        (b"\x82\x7f" + struct.pack("!Q", MOST + 1), "broke the websocket"),
        (b"\x82\x7f" + struct.pack("!Q", 1 << 63), "broke the websocket"),
    ],
)
def test_rules_that_are_broken(data: bytes, reason: str) -> None:
    forward, _ = begun()
    (event,) = forward.receive(data)

    assert isinstance(event, Ended) and reason in event.reason
    assert forward.stage is Stage.OVER


@pytest.mark.parametrize(
    ("code", "reason", "ended"),
    [
        (1000, "", ""),
        (1001, "restarting", ""),
        (None, "", ""),
        (1011, "", "the API server closed the port-forward: 1011"),
        (1011, "no more", "the API server closed the port-forward: no more"),
    ],
)
def test_goodbyes(code: int | None, reason: str, ended: str) -> None:
    forward, server = begun()

    assert forward.receive(server.data(b"last") + server.goodbye(code, reason)) == [
        Came(memoryview(b"last")),
        Ended(ended),
    ]
    assert server.receive(forward.pull())[0].opcode is Opcode.CLOSE


def test_our_goodbye() -> None:
    forward, server = begun()
    forward.close()

    assert server.receive(forward.pull())[0].opcode is Opcode.CLOSE
    assert forward.stage is Stage.OVER
    forward.close()
    assert forward.pull() == b""


def test_a_cut_connection() -> None:
    forward, server = begun()

    assert forward.receive(server.data(b"half")[:-1]) == []
    assert forward.receive(b"") == [Ended("the API server closed the port-forward")]
    assert forward.receive(b"") == []


def test_refusals() -> None:
    forward = new()

    assert forward.receive(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n") == []
    assert forward.receive(b"no") == [Turned(403, b"no")]
    assert forward.stage is Stage.OVER


def test_what_is_no_answer() -> None:
    for data in (b"SSH-2.0-x\r\n\r\n", b""):
        assert new().receive(data) == [Ended("the API server's answer is none of HTTP, or was cut")]


def test_another_protocol() -> None:
    forward = new()
    (event,) = forward.receive(Server("v5.channel.k8s.io").greet(forward.pull()))

    assert isinstance(event, Turned) and event.status == 101 and b"speaks another protocol" in event.body
    assert forward.receive(b"x") == []


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=8), st.sampled_from(["", *PROTOCOLS]))
def test_garbage_never_gets_through(pieces: list[bytes], protocol: str) -> None:
    forward = begun(protocol)[0] if protocol else new()
    for piece in pieces:
        for event in forward.receive(piece):
            assert isinstance(event, Came | Unheard | Turned | Ended | Opened)
    forward.receive(b"")

    assert forward.stage is Stage.OVER
