"""A Kubernetes of the test's own that knows one thing: port-forwards, in websockets, by the `websockets` library's server.

What a pod's ports do is up to the test: a function for each port, with the bytes that come and a way to answer.
"""

from __future__ import annotations

import contextlib
import http
import json
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve
from websockets.typing import Subprotocol

PROTOCOL = Subprotocol("v4.channel.k8s.io")
PATIENCE = 20.0  # seconds


class Nobody(Exception):
    """Nobody listens on a port."""


class Port:
    """What a pod's program sees of a connection, and what it can do."""

    def __init__(self, socket: ServerConnection) -> None:
        self.socket = socket

    def receive(self) -> bytes:
        """Bytes that came; empty at the end."""
        try:
            message = self.socket.recv(PATIENCE)
        except ConnectionClosed:
            return b""
        assert isinstance(message, bytes) and message[0] == 0
        return message[1:]

    def exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.receive()
            assert piece, data
            data += piece
        return data

    def send(self, data: bytes) -> None:
        self.socket.send(b"\0" + data)


Program = Callable[[Port], None]


@dataclass
class ForwardServer:
    """What it serves, and what it was asked."""

    programs: dict[int, Program]
    refusals: list[tuple[int, str]] = field(default_factory=list)
    """Answers to the next requests, in place of a websocket: a status and the server's words."""
    asked: list[Request] = field(default_factory=list)
    url: str = ""
    ended: threading.Event = field(default_factory=threading.Event)
    """A connection has ended."""
    protocols: tuple[Subprotocol, ...] = (PROTOCOL,)

    def look(self, _: ServerConnection, request: Request) -> Response | None:
        self.asked.append(request)
        if not self.refusals:
            return None
        status, message = self.refusals.pop(0)
        body = json.dumps({"kind": "Status", "message": message, "code": status}).encode()
        headers = Headers({"Content-Type": "application/json", "Content-Length": str(len(body))})
        return Response(status, http.HTTPStatus(status).phrase, headers, body)

    def handle(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        port = int(socket.request.path.rpartition("ports=")[2])
        for channel in (b"\0", b"\1"):
            socket.send(channel + struct.pack("<H", port))
        with contextlib.suppress(ConnectionClosed):
            try:
                self.programs[port](Port(socket))
            except (KeyError, Nobody):
                said = f"error forwarding port {port} to pod x, uid : failed to dial {port}: Connection refused"
                socket.send(b"\1" + said.encode())
        socket.close()
        self.ended.set()


@contextmanager
def forward_server(
    programs: dict[int, Program],
    context: ssl.SSLContext | None = None,
    protocols: tuple[Subprotocol, ...] = (PROTOCOL,),
) -> Iterator[ForwardServer]:
    """Serve until the block ends."""
    found = ForwardServer(programs, protocols=protocols)
    with serve(
        found.handle,
        "127.0.0.1",
        0,
        ssl=context,
        subprotocols=protocols,
        compression=None,
        max_size=None,
        process_request=found.look,
    ) as server:
        found.url = f"http{'' if context is None else 's'}://127.0.0.1:{server.socket.getsockname()[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()
