"""Proxies of the test's own, in threads: HTTP's CONNECT, with or without TLS, and SOCKS 5, with or without a password."""

from __future__ import annotations

import base64
import selectors
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

PATIENCE = 20.0  # seconds


class Unwanted(Exception):
    """The proxy has said no."""


@dataclass
class ProxyServer:
    """Carries bytes to wherever it is told, by `names` that only it knows."""

    scheme: str
    user: str = ""
    """`NAME:PASSWORD`, if it wants one."""
    context: ssl.SSLContext | None = None
    names: dict[str, str] = field(default_factory=dict)
    port: int = 0
    tunnels: list[str] = field(default_factory=list)
    """Where it led to."""

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.user + '@' if self.user else ''}127.0.0.1:{self.port}"

    def serve(self, sock: socket.socket) -> None:
        sock.settimeout(PATIENCE)
        with suppress(OSError, Unwanted), sock:
            client = sock if self.context is None else self.context.wrap_socket(sock, server_side=True)
            with client:
                (self._socks if self.scheme == "socks5" else self._http)(client)

    def _dial(self, host: str, port: int) -> socket.socket:
        self.tunnels.append(f"{host}:{port}")
        return socket.create_connection((self.names.get(host, host), port), PATIENCE)

    def _http(self, client: socket.socket) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += _exactly(client, 1)
        first, *lines = head.decode().splitlines()
        headers = dict(line.split(": ", 1) for line in lines if line)
        method, target, _ = first.split()
        assert method == "CONNECT"
        if self.user and headers.get("Proxy-Authorization", headers.get("proxy-authorization")) != (
            f"Basic {base64.b64encode(self.user.encode()).decode()}"
        ):
            client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            raise Unwanted
        host, _, port = target.rpartition(":")
        try:
            server = self._dial(host.strip("[]"), int(port))
        except OSError:
            client.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            raise
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        _relay(client, server)

    def _socks(self, client: socket.socket) -> None:
        version, count = _exactly(client, 2)
        methods = _exactly(client, count)
        wanted = 2 if self.user else 0
        assert version == 5
        if wanted not in methods:
            client.sendall(b"\5\xff")
            raise Unwanted
        client.sendall(bytes((5, wanted)))
        if wanted:
            assert _exactly(client, 1) == b"\1"
            name = _exactly(client, _exactly(client, 1)[0])
            password = _exactly(client, _exactly(client, 1)[0])
            right = b":".join((name, password)) == self.user.encode()
            client.sendall(b"\1\0" if right else b"\1\1")
            if not right:
                raise Unwanted
        assert _exactly(client, 3) == b"\5\1\0"
        match _exactly(client, 1)[0]:
            case 1:
                host = socket.inet_ntop(socket.AF_INET, _exactly(client, 4))
            case 4:
                host = socket.inet_ntop(socket.AF_INET6, _exactly(client, 16))
            case _:
                host = _exactly(client, _exactly(client, 1)[0]).decode()
        port = int.from_bytes(_exactly(client, 2), "big")
        try:
            server = self._dial(host, port)
        except ConnectionRefusedError:
            client.sendall(b"\5\5\0\1\0\0\0\0\0\0")
            raise
        client.sendall(b"\5\0\0\3\4here\0\0")
        _relay(client, server)


def _exactly(sock: socket.socket, size: int) -> bytes:
    read = b""
    while len(read) < size:
        if not (piece := sock.recv(size - len(read))):
            raise ConnectionError
        read += piece
    return read


def _relay(one: socket.socket, other: socket.socket) -> None:
    with other, selectors.DefaultSelector() as selector:
        selector.register(one, selectors.EVENT_READ, other)
        selector.register(other, selectors.EVENT_READ, one)
        while True:
            for key, _ in selector.select(PATIENCE):
                source: socket.socket = key.fileobj  # type: ignore[assignment]
                data = source.recv(65536)
                while isinstance(source, ssl.SSLSocket) and source.pending():
                    data += source.recv(65536)
                if not data:
                    return
                key.data.sendall(data)


@contextmanager
def proxy_server(
    scheme: str, user: str = "", context: ssl.SSLContext | None = None, names: dict[str, str] | None = None
) -> Iterator[ProxyServer]:
    """Serve until the block ends."""
    found = ProxyServer(scheme, user, context, names or {})
    threads = list[threading.Thread]()

    def accept() -> None:
        with suppress(OSError):  # closed: the end
            while True:
                threads.append(threading.Thread(target=found.serve, args=(listener.accept()[0],)))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        found.port = listener.getsockname()[1]
        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield found
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            acceptor.join()
            for thread in threads:
                thread.join()
