"""A Kubernetes of the test's own that knows one thing: port-forwards, in websockets, by the `websockets` library's server.

It speaks one of the two protocols that servers speak. What a pod's ports do is up to the test: a function for each.
"""

from __future__ import annotations

import contextlib
import http
import json
import socket
import ssl
import struct
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

SPDY, CHANNELS = "SPDY/3.1+portforward.k8s.io", "v4.channel.k8s.io"
PATIENCE = 20.0  # seconds
HEAD = struct.Struct(">II")


class Nobody(Exception):
    """Nobody listens on a port."""


class Port:
    """What a pod's program sees of a connection, and what it can do; by messages with channels."""

    silent = False
    """Whether streams are answered by the program itself."""
    further = False
    """Whether there is room for another connection after one to which nobody listened."""

    def __init__(self, socket: ServerConnection, number: int) -> None:
        self.socket = socket
        self.number = number

    def begin(self) -> None:
        for channel in (b"\0", b"\1"):
            self.socket.send(channel + struct.pack("<H", self.number))

    def receive(self) -> bytes:
        """Bytes that came; empty at the end."""
        try:
            message = self.message()
        except ConnectionClosed:
            return b""
        assert message[0] == 0
        return message[1:]

    def message(self) -> bytes:
        message = self.socket.recv(PATIENCE)
        assert isinstance(message, bytes)
        return message

    def exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.receive()
            assert piece, data
            data += piece
        return data

    def send(self, data: bytes) -> None:
        self.socket.send(b"\0" + data)

    def fail(self, said: bytes) -> None:
        self.socket.send(b"\1" + said)

    def end(self) -> None:
        """Say that the program has closed its side."""

    def cut(self) -> None:
        """End the connection without a goodbye, TLS's neither."""
        self.socket.socket.shutdown(socket.SHUT_RDWR)


class SpdyPort(Port):
    """The same, by SPDY: written down from its description, for a server."""

    further = True

    def __init__(self, socket: ServerConnection, number: int) -> None:
        super().__init__(socket, number)
        self.inflate, self.deflate = zlib.decompressobj(), zlib.compressobj()
        self.came = b""

    def begin(self) -> None:
        self.streams = dict[str, int]()
        while set(self.streams) != {"error", "data"}:
            kind, number, _, body = self.frame()
            assert kind in {1, None}
            if kind is None:  # what is late for a connection before, or that no error will be said
                assert number != self.streams.get("error") or body == b""
                continue
            stream, _, _ = struct.unpack_from(">IIH", body)
            headers = self._headers(self.inflate.decompress(body[10:]))
            assert headers["port"] == str(self.number)
            self.streams[headers["streamtype"]] = stream
            if not self.silent:
                self.reply(headers["streamtype"])

    def reply(self, kind: str) -> None:
        reply = self.deflate.compress(struct.pack(">I", 0)) + self.deflate.flush(zlib.Z_SYNC_FLUSH)
        self.control(2, struct.pack(">I", self.streams[kind]) + reply)

    def frame(self) -> tuple[int | None, int, int, bytes]:
        """A control frame's kind, or None; a data frame's stream; flags; what is in it."""
        while len(self.came) < 8 or len(self.came) < 8 + (HEAD.unpack_from(self.came)[1] & 0xFFFFFF):
            self.came += self.message()
        first, second = HEAD.unpack_from(self.came)
        size = 8 + (second & 0xFFFFFF)
        body, self.came = self.came[8:size], self.came[size:]
        if first >> 31:
            assert first >> 16 == 0x8003
            return first & 0xFFFF, 0, second >> 24, body
        return None, first, second >> 24, body

    @staticmethod
    def _headers(block: bytes) -> dict[str, str]:
        texts, position = list[str](), 4
        for _ in range(2 * struct.unpack_from(">I", block)[0]):
            size = struct.unpack_from(">I", block, position)[0]
            texts.append(block[position + 4 : position + 4 + size].decode())
            position += 4 + size
        return dict(zip(texts[::2], texts[1::2], strict=True))

    def control(self, kind: int, body: bytes) -> None:
        self.socket.send(HEAD.pack(0x8003_0000 | kind, len(body)) + body)

    def data(self, stream: str, data: bytes, flags: int = 0) -> None:
        # As the cluster's parts do: heads and content go apart.
        self.socket.send(HEAD.pack(self.streams[stream], flags << 24 | len(data))[:4])
        self.socket.send(HEAD.pack(self.streams[stream], flags << 24 | len(data))[4:])
        if data:
            self.socket.send(data)

    def receive(self) -> bytes:
        while True:
            try:
                kind, stream, flags, body = self.frame()
            except ConnectionClosed:
                return b""
            if kind is None and stream == self.streams["data"] and (body or flags):
                return body

    def send(self, data: bytes) -> None:
        self.data("data", data)

    def fail(self, said: bytes) -> None:
        self.data("data", b"", 1)
        self.data("error", said)

    def end(self) -> None:
        self.data("error", b"", 1)
        self.data("data", b"", 1)


Program = Callable[[Port], None]


@dataclass
class ForwardServer:
    """What it serves, and what it was asked."""

    programs: Mapping[int, Program]
    protocol: str
    silent: bool = False
    refusals: list[tuple[int, str]] = field(default_factory=list)
    """Answers to the next requests, in place of a websocket: a status and the server's words."""
    asked: list[Request] = field(default_factory=list)
    offered: list[str] = field(default_factory=list)
    url: str = ""
    ended: threading.Event = field(default_factory=threading.Event)
    """A connection has ended."""

    def look(self, _: ServerConnection, request: Request) -> Response | None:
        self.asked.append(request)
        # The library knows no names with a slash.
        self.offered = request.headers.pop("Sec-WebSocket-Protocol").split(", ")
        if not self.refusals:
            return None
        status, message = self.refusals.pop(0)
        body = json.dumps({"kind": "Status", "message": message, "code": status}).encode()
        headers = Headers({"Content-Type": "application/json", "Content-Length": str(len(body))})
        return Response(status, http.HTTPStatus(status).phrase, headers, body)

    def choose(self, _: ServerConnection, _request: Request, response: Response) -> None:
        if response.status_code == 101 and self.protocol:
            assert self.protocol in self.offered
            response.headers["Sec-WebSocket-Protocol"] = self.protocol

    def handle(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        number = int(socket.request.path.rpartition("ports=")[2])
        port = (SpdyPort if self.protocol == SPDY else Port)(socket, number)
        port.silent = self.silent
        with contextlib.suppress(ConnectionClosed):
            nobody = True
            while nobody:
                port.begin()
                try:
                    self.programs[number](port)
                    nobody = False
                except (KeyError, Nobody):
                    port.fail(b"error forwarding port to pod x, uid : failed to dial: Connection refused")
                    nobody = port.further
                port.end()
        socket.close()
        self.ended.set()


@contextmanager
def forward_server(
    programs: Mapping[int, Program],
    context: ssl.SSLContext | None = None,
    protocol: str = SPDY,
    *,
    silent: bool = False,
) -> Iterator[ForwardServer]:
    """Serve until the block ends."""
    found = ForwardServer(programs, protocol, silent)
    with serve(
        found.handle,
        "127.0.0.1",
        0,
        ssl=context,
        compression=None,
        max_size=None,
        process_request=found.look,
        process_response=found.choose,
    ) as server:
        found.url = f"http{'' if context is None else 's'}://127.0.0.1:{server.socket.getsockname()[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()
