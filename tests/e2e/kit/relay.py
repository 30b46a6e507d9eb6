"""A way to the API server that can fall silent: connections stay, and nothing passes any more, as when a cable is cut."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Self


class Relay:
    """Relays TCP from a port of this machine to one address."""

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port
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
                if not self._silent.is_set():
                    far = socket.create_connection(self._address)
                    self._sockets.append(far)
                    self._run(self._pump, near, far)
                    self._run(self._pump, far, near)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):  # one side has ended, and with it the other
            while data := source.recv(1 << 16):
                if self._silent.is_set():
                    return
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
