"""A server of the test's own that speaks HTTP, with or without TLS, in threads: what it answers is up to the test."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

import h11

PATIENCE = 20.0  # seconds


@dataclass(frozen=True)
class Asked:
    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query))

    def header(self, name: str) -> list[str]:
        return [value for each, value in self.headers if each == name]


Respond = Callable[[Asked], "bytes | Iterator[bytes]"]
"""The whole answer, or its pieces one by one; an empty one closes the connection."""


def answer(status: int, body: bytes = b"", **headers: str) -> bytes:
    """A whole answer."""
    headers = {"Content-Length": str(len(body))} | {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} So\r\n{lines}\r\n".encode() + body


@dataclass
class Answering:
    respond: Respond
    context: ssl.SSLContext | None
    host: str
    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    sockets: list[socket.socket] = field(default_factory=list)

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'http' if self.context is None else 'https'}://{host}:{self.port}"

    def serve(self, sock: socket.socket) -> None:
        """Answer one connection until it ends."""
        with suppress(OSError), sock:
            sock.settimeout(PATIENCE)
            if self.context is not None:
                sock = self.context.wrap_socket(sock, server_side=True)
                self.sockets.append(sock)
            with sock, self._complaint(sock):
                while (asked := self._read(sock)) is not None:
                    self.asked.append(asked)
                    given = self.respond(asked)
                    pieces = [given] if isinstance(given, bytes) else given
                    for piece in pieces:
                        if not piece:
                            return
                        sock.sendall(piece)

    @staticmethod
    @contextmanager
    def _complaint(sock: socket.socket) -> Iterator[None]:
        try:
            yield
        except h11.RemoteProtocolError:
            sock.sendall(answer(400, b"Client sent an HTTP request to an HTTPS server, or the other way round."))

    @staticmethod
    def _read(sock: socket.socket) -> Asked | None:
        http = h11.Connection(h11.SERVER)
        asked: h11.Request | None = None
        body = b""
        while True:
            match http.next_event():
                case h11.NEED_DATA:
                    if not (data := sock.recv(65536)):
                        return None
                    http.receive_data(data)
                case h11.Request() as asked:
                    pass
                case h11.Data(data=data):
                    body += data
                case h11.EndOfMessage():
                    break
        assert asked is not None
        headers = [(name.decode(), value.decode("latin-1")) for name, value in asked.headers]
        return Asked(asked.method.decode(), asked.target.decode(), headers, body)


@contextmanager
def answering(respond: Respond, context: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[Answering]:
    """Serve until the block ends."""
    found = Answering(respond, context, host)
    threads = list[threading.Thread]()

    def accept() -> None:
        with suppress(OSError):  # closed: the end
            while True:
                sock = listener.accept()[0]
                found.connections += 1
                found.sockets.append(sock)
                threads.append(threading.Thread(target=found.serve, args=(sock,)))
                threads[-1].start()

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listener:
        found.port = listener.getsockname()[1]
        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield found
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            acceptor.join()
            for sock in found.sockets:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()
