"""The layer's part in tests of the session: asks over a real link, as packages/layer-unix/csrc/link.c does."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field
from typing import Any

from mirrord_protocol.layer_values import LayerOperation, LayerReply, LayerRequest
from mirrord_protocol.messages import (
    LAYER_REPLY_SIZE,
    decode_layer_reply,
    encode_layer_request,
)

LARGEST = 1 << 20


@dataclass
class Got:
    """An answer."""

    reply: LayerReply
    payload: bytes
    fds: list[int] = field(default_factory=list)

    def close(self) -> None:
        for fd in self.fds:
            os.close(fd)

    def content(self) -> bytes:
        """What the last descriptor holds; closes all."""
        with os.fdopen(os.dup(self.fds[-1]), "rb") as file:
            content = file.read()
        self.close()
        return content


def channel_pair() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def begin(link: socket.socket, operation: LayerOperation, path: bytes = b"", **rest: Any) -> socket.socket:
    """Ask; the channel on which the answer will come."""
    ours, theirs = channel_pair()
    request = LayerRequest(operation, payload=len(path), process=os.getpid(), **rest)
    with theirs:
        socket.send_fds(link, [encode_layer_request(request), path], [theirs.fileno()])
    return ours


def finish(channel: socket.socket) -> Got | None:
    """The answer; None if the channel was closed without one."""
    with channel:
        channel.settimeout(20)
        try:
            data, fds, _, _ = socket.recv_fds(channel, LARGEST, 3)
        except ConnectionResetError:
            return None
    if not data:
        return None
    return Got(decode_layer_reply(data[:LAYER_REPLY_SIZE]), data[LAYER_REPLY_SIZE:], fds)


def ask(link: socket.socket, operation: LayerOperation, path: bytes = b"", **rest: Any) -> Got:
    """Ask, and wait for the answer."""
    got = finish(begin(link, operation, path, **rest))
    assert got is not None
    return got
