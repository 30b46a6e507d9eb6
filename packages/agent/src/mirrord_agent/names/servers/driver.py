"""Asks DNS servers over UDP, and over TCP where an answer doesn't fit: one socket, and one port, for each question.

Which server is asked when, and which answer is believed, is decided in machine.py.
"""

from __future__ import annotations

import errno
import os
import secrets
import socket

import trio

from mirrord_agent.names.config.machine import NameServer, Resolver
from mirrord_agent.names.numeric import scope_number
from mirrord_agent.names.servers.machine import another_may_know, code, matches, schedule, truncated, with_id
from mirrord_agent.sockets.driver import Sockets, family_of, reach, to_system
from mirrord_protocol.network_values import Address

MOST = 1 << 16


class Servers:
    """The servers of one target."""

    def __init__(self, sockets: Sockets) -> None:
        self._sockets = sockets

    async def ask(self, message: bytes, resolver: Resolver, *, start: int | None = None) -> bytes:
        """Return the answer to a query, with the query's id; the last bad one where every server gave a bad one.

        Questions with the same `start` go to the same server first.

        Raises:
            OSError: ETIMEDOUT if no server answered, ECONNREFUSED if none could be asked.
        """
        query = with_id(message, secrets.randbits(16))
        bad, silent = None, errno.ECONNREFUSED
        for server, seconds in schedule(resolver, secrets.randbits(16) if start is None else start):
            try:
                answer = await self._ask(server, query, seconds, tcp=resolver.tcp)
            except OSError:  # refused, unreachable, or no such family: the next one may be there
                continue
            silent = errno.ETIMEDOUT
            if answer is not None and another_may_know(answer):
                bad = answer if code(answer) else bad
            elif answer is not None:
                return with_id(answer, int.from_bytes(message[:2], "big"))
        if bad is None:
            raise OSError(silent, os.strerror(silent))
        return with_id(bad, int.from_bytes(message[:2], "big"))

    async def _ask(self, server: NameServer, query: bytes, seconds: float, *, tcp: bool) -> bytes | None:
        """Ask one server; None if it doesn't answer in time."""
        address = Address(server.host, server.port, _scope(server.scope))
        answer = None
        if not tcp:
            with trio.move_on_after(seconds):
                answer = await self._ask_udp(address, query)
            if answer is None or not truncated(answer):
                return answer
        with trio.move_on_after(seconds):
            return await self._ask_tcp(address, query)
        return None

    async def _ask_udp(self, address: Address, query: bytes) -> bytes:
        family = family_of(address)
        with self._sockets.open(family, socket.SOCK_DGRAM) as raw:
            raw.connect(to_system(address, family))  # from now on the kernel lets only this server's answers in
            with trio.socket.from_stdlib_socket(raw) as connected:
                await connected.send(query)
                while True:
                    answer = await connected.recv(MOST)
                    if matches(query, answer):
                        return answer

    async def _ask_tcp(self, address: Address, query: bytes) -> bytes:
        family = family_of(address)
        with self._sockets.open(family, socket.SOCK_STREAM) as raw:
            if number := await reach(raw, to_system(address, family)):
                raise OSError(number, os.strerror(number))
            stream = trio.SocketStream(trio.socket.from_stdlib_socket(raw))
            try:
                await stream.send_all(len(query).to_bytes(2, "big") + query)
                while True:
                    answer = await _receive(stream, int.from_bytes(await _receive(stream, 2), "big"))
                    if matches(query, answer):
                        return answer
            except trio.BrokenResourceError:
                raise ConnectionResetError from None


async def _receive(stream: trio.SocketStream, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = await stream.receive_some(size - len(data))
        if not part:
            raise ConnectionResetError
        data += part
    return bytes(data)


def _scope(text: bytes) -> int:
    number = scope_number(text or b"0")
    return socket.if_nametoindex(os.fsdecode(text)) if number is None else number
