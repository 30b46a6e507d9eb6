"""Tells the command line how it goes, and hears from it what to meet, over the status socket until the session is ready.

A command line that is gone is no failure here: the link's end tells that.
"""

from __future__ import annotations

import array
import socket
from collections import deque
from contextlib import suppress
from typing import Self

import trio

from mirrord_cli.session.framed import Reader
from mirrord_cli.session.instructions import Instruction
from mirrord_cli.session.status import Message, encode

RECEIVE = 1 << 16


class Teller:
    """One status socket.

    Args:
        status: Its descriptor, which is given to this object.
    """

    def __init__(self, status: int) -> None:
        self._socket: trio.socket.SocketType | None = trio.socket.from_stdlib_socket(socket.socket(fileno=status))
        self._reader: Reader[Instruction] = Reader(Instruction)
        self._heard = deque[Instruction]()
        self.starting = trio.CancelScope()
        """What is done only until the session is ready."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Say no more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    @property
    def closed(self) -> bool:
        """Whether the last word was said."""
        return self._socket is None

    async def tell(self, message: Message, descriptor: int | None = None) -> None:
        """Say something, with a descriptor."""
        assert self._socket is not None
        rest = memoryview(encode(message))
        rights = [] if descriptor is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))]
        with suppress(BrokenPipeError, ConnectionResetError):
            while rest:
                rest = rest[await self._socket.sendmsg([rest], rights) :]
                rights = []

    async def hear(self) -> Instruction | None:
        """Return the next instruction; None when the command line is gone.

        Raises:
            FrameBroken: It isn't our command line.
        """
        assert self._socket is not None
        while not self._heard:
            try:
                data = await self._socket.recv(RECEIVE)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self._heard += self._reader.feed(data)
        return self._heard.popleft()
