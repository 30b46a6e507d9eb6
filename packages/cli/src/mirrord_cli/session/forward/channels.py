"""A port-forward as messages with channels, `v4.channel.k8s.io`: what servers before Kubernetes 1.31 speak. No I/O.

A message's first byte is its channel: 0 for data, 1 for errors. A channel begins with its port, two bytes, by which the
server shows that it is there. What a channel carries after that is a stream: how it is cut into messages means nothing.
The servers' code is k8s.io/kubelet/pkg/cri/streaming/portforward/websocket.go. It takes the masks away byte by byte.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from mirrord_cli.session.forward.events import MOST_SAID, Came, Ended, Event, failure_of

NAME = "v4.channel.k8s.io"
DATA, ERROR = 0, 1
PIECE = (64 << 10) - 1
"""Bytes of data in one message: servers collect a message as a whole, in a buffer that grows by and by."""


class Channels:
    """The two channels of one port."""

    def __init__(self, port: int) -> None:
        self._port = struct.pack("<H", port)
        self._begun = {DATA: b"", ERROR: b""}
        """What came of each channel's port."""
        self._channel = DATA
        """Of the message that is coming in parts."""

    def begin(self) -> bytes:
        """Return what is to be sent first."""
        return b""

    def wrap(self, data: memoryview) -> Iterator[bytes]:
        """Yield the messages that carry bytes to the port."""
        for start in range(0, len(data), PIECE):
            yield b"".join((b"\0", data[start : start + PIECE]))

    def receive(self, data: memoryview, *, begins: bool) -> Iterator[Event]:
        """Take a message, or a part of one that begins it or doesn't."""
        if begins and data:
            self._channel, data = data[0], data[1:]
        begun = self._begun.get(self._channel)
        if begun is None:
            yield Ended(f"the API server sent something in channel {self._channel}")
            return
        if missing := len(self._port) - len(begun):
            self._begun[self._channel] = begun = begun + bytes(data[:missing])
            data = data[missing:]
            if not self._port.startswith(begun):
                yield Ended("the API server forwards another port")
                return
        if data:
            yield Came(data) if self._channel == DATA else failure_of(bytes(data[:MOST_SAID]))

    def answer(self) -> bytes:
        """Return what is to be sent because of what came."""
        return b""
