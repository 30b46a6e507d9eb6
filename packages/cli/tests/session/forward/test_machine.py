"""A port-forward's bytes and events: whole, byte by byte, cut into odd messages, refused, broken, and at random."""

from __future__ import annotations

import struct
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from mirrord_cli.session.forward.machine import (
    MOST,
    MOST_SAID,
    PIECE,
    Came,
    Ended,
    Event,
    Forward,
    Opened,
    Stage,
    Turned,
    Unheard,
)
from mirrord_cli.session.reaching.machine import place_of

PORT = 30000
NAMED = struct.pack("<H", PORT)
HEADERS = (("Authorization", "Bearer t"), ("Impersonate-Group", "a"), ("Impersonate-Group", "b"))


class Server:
    """The other side, by the library's own server."""

    def __init__(self, subprotocol: str = "v4.channel.k8s.io") -> None:
        self.protocol = ServerProtocol(subprotocols=[Subprotocol(subprotocol)], max_size=None)

    def greet(self, forward: Forward) -> bytes:
        """Take the request; the answer."""
        self.protocol.receive_data(forward.pull())
        (self.request,) = self.protocol.events_received()
        self.protocol.send_response(self.protocol.accept(self.request))  # type: ignore[arg-type]
        return self.pull()

    def pull(self) -> bytes:
        return b"".join(self.protocol.data_to_send())

    def message(self, data: bytes) -> bytes:
        self.protocol.send_binary(data)
        return self.pull()

    def frame(self, opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
        return Frame(opcode, data, fin).serialize(mask=False)

    def goodbye(self, code: int | None = 1000, reason: str = "") -> bytes:
        self.protocol.send_close(code, reason)
        return self.pull()

    def receive(self, data: bytes) -> list[Frame]:
        self.protocol.receive_data(data)
        return [event for event in self.protocol.events_received() if isinstance(event, Frame)]


def new(server: str = "https://api.test:6443/prefix") -> Forward:
    return Forward(place_of(server), HEADERS, "shop", "web", PORT)


def begun() -> tuple[Forward, Server]:
    forward, server = new(), Server()
    assert forward.receive(server.greet(forward)) == [Opened()]
    assert forward.receive(server.message(b"\0" + NAMED) + server.message(b"\1" + NAMED)) == []
    return forward, server


def came(events: Iterable[Event]) -> bytes:
    return b"".join(event.data for event in events if isinstance(event, Came))


def test_the_request() -> None:
    lines = new().pull().decode().split("\r\n")

    assert lines[0] == f"GET /prefix/api/v1/namespaces/shop/pods/web/portforward?ports={PORT} HTTP/1.1"
    assert {
        "Host: api.test:6443",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: v4.channel.k8s.io",
        "Authorization: Bearer t",
        "Impersonate-Group: a",
        "Impersonate-Group: b",
    } <= set(lines)
    assert not any(line.startswith(("Sec-WebSocket-Extensions", "Origin")) for line in lines)


@pytest.mark.parametrize("server", ["http://[fd00::1]", "https://api.test:443"])
def test_the_host(server: str) -> None:
    assert f"Host: {place_of(server).authority}\r\n" in new(server).pull().decode()


def test_bytes_go_both_ways() -> None:
    forward, server = begun()

    forward.send(b"hello")
    assert [frame.data for frame in server.receive(forward.pull())] == [b"\0hello"]
    assert came(forward.receive(server.message(b"\0world"))) == b"world"
    assert forward.stage is Stage.OPEN
    assert forward.pull() == b""


def test_much_is_cut_into_messages() -> None:
    forward, server = begun()
    data = bytes(range(256)) * 1024

    forward.send(memoryview(data))
    frames = server.receive(forward.pull())

    assert b"".join(bytes(frame.data[1:]) for frame in frames) == data
    assert all(len(frame.data) <= PIECE + 1 and frame.data[0] == 0 for frame in frames)
    forward.send(b"")
    assert forward.pull() == b""


def test_byte_by_byte() -> None:
    forward, server = new(), Server()
    data = server.greet(forward) + server.message(b"\0" + NAMED) + server.message(b"\1" + NAMED)
    data += server.message(b"\0" + b"x" * 300) + server.message(b"\0y") + server.goodbye()
    events = [event for byte in data for event in forward.receive(bytes((byte,)))]

    assert events[0] == Opened()
    assert came(events) == b"x" * 300 + b"y"
    assert events[-1] == Ended()


@given(st.lists(st.binary(max_size=9), max_size=9), st.lists(st.integers(1, 60), max_size=30))
def test_how_a_channel_is_cut_means_nothing(pieces: list[bytes], cuts: list[int]) -> None:
    forward, server = new(), Server()
    data = server.greet(forward)
    whole = NAMED + b"".join(pieces)
    for piece in (whole[start : start + 3] for start in range(0, len(whole), 3)):
        data += server.message(b"\0" + piece)
    events, position = list[Event](), 0
    for cut in [*cuts, len(data)]:
        if piece := data[position : position + cut]:
            events += forward.receive(piece)
        position += cut

    assert events[0] == Opened()
    assert came(events) == b"".join(pieces)


def test_what_something_in_between_has_cut() -> None:
    forward, server = begun()
    events = forward.receive(server.frame(Opcode.BINARY, b"\0one ", fin=False))
    events += forward.receive(server.frame(Opcode.PING, b"?"))
    events += forward.receive(server.frame(Opcode.CONT, b"two ", fin=False) + server.frame(Opcode.CONT, b"\0three"))

    assert came(events) == b"one two \0three"


def test_pings_are_answered_and_nothing_is_nothing() -> None:
    forward, server = begun()

    assert forward.receive(server.frame(Opcode.PING, b"there?") + server.frame(Opcode.PONG, b"")) == []
    assert [(frame.opcode, frame.data) for frame in server.receive(forward.pull())] == [(Opcode.PONG, b"there?")]
    assert forward.receive(server.message(b"") + server.message(b"\0")) == []


CONTAINERD = (
    b"error forwarding port 30000 to pod ab, uid : failed to execute portforward in network namespace "
    b'"/var/run/netns/cni": failed to dial 30000: dial tcp4 127.0.0.1:30000: connect: connection refused'
)
CRIO = (
    b'failed to connect to localhost:30000 inside namespace "x", IPv4: dial tcp4 127.0.0.1:30000: connect: '
    b"connection refused IPv6 dial tcp6: address localhost: no suitable address found"
)
SOCAT = b"exit status 1: 2026/01/01 socat[9] E connect(5, AF=2 127.0.0.1:30000, 16): Connection refused"


@pytest.mark.parametrize("said", [CONTAINERD, CRIO, SOCAT])
def test_nobody_listens(said: bytes) -> None:
    forward, server = begun()

    assert forward.receive(server.message(b"\1" + said) + server.goodbye()) == [Unheard()]
    assert forward.stage is Stage.OVER
    assert forward.receive(b"more") == []


def test_another_error() -> None:
    forward, server = begun()

    assert forward.receive(server.message(b"\0so far") + server.message(b"\1network namespace is closed\nmore")) == [
        Came(memoryview(b"so far")),
        Ended("network namespace is closed"),
    ]
    forward, server = begun()
    (event,) = forward.receive(server.message(b"\1" + b"\xff" * 100_000))
    assert isinstance(event, Ended) and len(event.reason) == MOST_SAID


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (Frame(Opcode.TEXT, b"hello").serialize(mask=False), "sent text"),
        (Frame(Opcode.BINARY, b"\2hello").serialize(mask=False), "something in channel 2"),
        (Frame(Opcode.BINARY, b"\0hello").serialize(mask=True), "broke the websocket: incorrect masking"),
        (Frame(Opcode.CONT, b"hello").serialize(mask=False), "broke the websocket: unexpected continuation frame"),
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


def test_another_port() -> None:
    forward, server = new(), Server()

    assert forward.receive(server.greet(forward) + server.message(b"\0\x31")) == [
        Opened(),
        Ended("the API server forwards another port"),
    ]


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

    assert forward.receive(server.message(b"\0last") + server.goodbye(code, reason)) == [
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

    assert forward.receive(server.message(b"\0half")[:-1]) == []
    assert forward.receive(b"") == [Ended("the API server closed the port-forward")]
    assert forward.receive(b"") == []


@pytest.mark.parametrize("chunked", [False, True])
def test_refusals(chunked: bool) -> None:
    forward = new()
    body = b'{"kind": "Status", "message": "no"}'
    answer = b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\n"
    if chunked:
        answer += b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    else:
        answer += b"Content-Length: %d\r\n\r\n%b" % (len(body), body)

    assert forward.receive(answer[:50]) == []
    assert forward.receive(answer[50:]) == [Turned(403, body)]
    assert forward.stage is Stage.OVER


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-x\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 300 + b"\r\n",
        b"HTTP/1.1 403 No\r\nContent-Length: 99999999\r\n\r\n",
        b"HTTP/1.1 403 No\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 403 No\r\nContent-Length: 10\r\n\r\nshort",
        b"x" * 100_000,
        b"",
    ],
)
def test_what_is_no_answer(answer: bytes) -> None:
    forward = new()
    events = forward.receive(answer) if answer else []
    if not events:
        events = forward.receive(b"")

    assert events == [Ended("the API server's answer is none of HTTP, or was cut")]


def test_what_speaks_another_protocol() -> None:
    forward, server = new(), Server("v5.channel.k8s.io")
    server.protocol.available_subprotocols = None
    (event,) = forward.receive(server.greet(forward))

    assert isinstance(event, Turned) and event.status == 101 and b"doesn't speak" in event.body
    assert forward.receive(b"x") == []


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=8), st.booleans())
def test_garbage_never_gets_through(pieces: list[bytes], open_: bool) -> None:
    forward = begun()[0] if open_ else new()
    for piece in pieces:
        for event in forward.receive(piece):
            assert isinstance(event, Came | Unheard | Turned | Ended | Opened)
    forward.receive(b"")

    assert forward.stage is Stage.OVER
