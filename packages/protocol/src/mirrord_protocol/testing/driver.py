"""Clients and services joined in memory, and the relays that add delay: between two processes, or before an address.

Machines without I/O are in ends.py, the command line in __main__.py.
"""

from __future__ import annotations

import hashlib
import queue
import socket
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import trio
import trio.testing

from mirrord_protocol.client import Client, open_client
from mirrord_protocol.server import Service, serve
from mirrord_protocol.values import Hello

TOKEN = bytes(range(32))
RECEIVE = 256 << 10
CHUNKS = 1024
"""Received pieces that wait for their time, in each direction; more than a connection has on its way."""


@asynccontextmanager
async def open_paired(service: Service, hello: Hello | None = None) -> AsyncIterator[Client]:
    """Join a client to a service in memory; both end with the block."""
    session_stream, agent_stream = trio.testing.memory_stream_pair()
    digest = hashlib.sha256(TOKEN).digest()
    error: Exception | None = None
    async with trio.open_nursery() as nursery:

        async def run_agent() -> None:
            await serve(agent_stream, token_digest=digest, service=service)

        nursery.start_soon(run_agent)
        try:
            async with open_client(session_stream, hello or Hello(TOKEN)) as client:
                yield client
        except Exception as from_block:  # noqa: BLE001 - raised again, outside of the nursery that would wrap it
            error = from_block
    if error:
        raise error


def relay(connected: socket.socket, command: Sequence[str], delay: float) -> int:
    """Start a command with `{fd}` in its arguments replaced by a socket, and carry bytes between it and `connected`.

    Each way takes `delay` seconds more, at any throughput. Returns the command's exit code (128 + signal) when both
    sides have ended.
    """
    ours, theirs = socket.socketpair()
    arguments = [argument.replace("{fd}", str(theirs.fileno())) for argument in command]
    with subprocess.Popen(arguments, pass_fds=[theirs.fileno()]) as process, ours, connected:
        theirs.close()
        directions = [_Direction(connected, ours, delay), _Direction(ours, connected, delay)]
        for direction in directions:
            direction.join()
        # Whoever still waits for the other side learns that it is over.
        ours.close()
        connected.close()
        code = process.wait()
    return 128 - code if code < 0 else code


def relay_connections(listener: socket.socket, address: tuple[str, int], delay: float) -> None:
    """Carry the bytes of each TCP connection to `listener` to and from `address`; returns when it is shut down.

    Each way takes `delay` seconds more, at any throughput. What a client says first waits for a round trip, as it
    would for TCP's handshake, which is done before it gets here.
    """
    while True:
        try:
            accepted, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_carry, args=(accepted, address, delay), daemon=True).start()


def _carry(accepted: socket.socket, address: tuple[str, int], delay: float) -> None:
    with accepted:
        time.sleep(2 * delay)
        try:
            connected = socket.create_connection(address)
        except OSError:
            return  # its client is told by the close
        with connected:
            for sock in accepted, connected:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            directions = [_Direction(accepted, connected, delay), _Direction(connected, accepted, delay)]
            for direction in directions:
                direction.join()


class _Direction:
    """Carries bytes one way: a thread that receives, and one that sends when the time has come.

    Threads, since their sleep is exact to some 60 µs, and that of an event loop to a millisecond.
    """

    def __init__(self, source: socket.socket, sink: socket.socket, delay: float) -> None:
        self._source = source
        self._sink = sink
        self._delay = delay
        self._waiting: queue.Queue[tuple[float, bytes]] = queue.Queue(CHUNKS)
        self._threads = [threading.Thread(target=target, daemon=True) for target in (self._receive, self._send)]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _receive(self) -> None:
        data = b"begin"
        while data:
            try:
                data = self._source.recv(RECEIVE)
            except OSError:
                data = b""  # broken is over, too
            self._waiting.put((time.monotonic() + self._delay, data))

    def _send(self) -> None:
        broken = False
        while True:
            due, data = self._waiting.get()
            if (left := due - time.monotonic()) > 0:
                time.sleep(left)
            try:
                if not data:
                    self._sink.shutdown(socket.SHUT_WR)
                elif not broken:
                    self._sink.sendall(data)
            except OSError:
                broken = True  # keep taking, so that the source isn't held up until it ends
                self._stop_source()
            if not data:
                return

    def _stop_source(self) -> None:
        try:
            self._source.shutdown(socket.SHUT_RD)
        except OSError:
            return  # it is over already
