"""A way to the API server: one that can fall silent, as when a cable is cut, and one that is a proxy of HTTP."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Self


class Relay:
    """Relays TCP from a port of this machine to one address.

    Fallen silent, it keeps all connections, and nothing passes any more.
    """

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port
        self.accepted = 0
        """How many connections have come."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._silent = threading.Event()
        self._sockets: list[socket.socket] = [self._listener]
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._run(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._sockets:
            with suppress(OSError):  # it is closed by the other side
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for each in self._sockets:
            each.close()

    def silence(self) -> None:
        """Let nothing pass from now on, and tell nobody."""
        self._silent.set()

    def _run(self, *call: object) -> None:
        function, *arguments = call
        assert callable(function)
        thread = threading.Thread(target=function, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):  # we are done
            while True:
                near, _ = self._listener.accept()
                self._sockets.append(near)
                self.accepted += 1
                if not self._silent.is_set():
                    self._greet(near)
                    far = socket.create_connection(self._address)
                    self._sockets.append(far)
                    self._run(self._pump, near, far)
                    self._run(self._pump, far, near)

    def _greet(self, near: socket.socket) -> None:
        """Say what comes before the other side's bytes: nothing."""

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):  # one side has ended, and with it the other
            while data := source.recv(1 << 16):
                if self._silent.is_set():
                    return
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


class Proxy(Relay):
    """The same, as a proxy of HTTP that is asked to connect (RFC 9110, 9.3.6)."""

    def _greet(self, near: socket.socket) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += near.recv(1)
        host, port = self._address
        assert head.startswith(f"CONNECT {host}:{port} HTTP/1.".encode()), head
        near.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
