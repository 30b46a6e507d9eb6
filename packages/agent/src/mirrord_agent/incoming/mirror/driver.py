"""Carries a redirected connection on to the target, both ways, and gives what the client says to a copy.

The target comes first in everything: its connection is made before anything is read, so servers that speak first may,
and bytes are offered to it before they are copied. What becomes of the copy is machine.py's.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Callable

import trio

from mirrord_agent.incoming.listener.driver import RESET
from mirrord_agent.incoming.mirror.machine import Copy
from mirrord_agent.sockets.driver import Sockets, family_of, to_system
from mirrord_protocol.network_values import Address

CHUNK = 1 << 16
IN_A_ROW = 16
"""Chunks of a connection that never waits, until others get their turn."""
_GENTLY = struct.pack("ii", 0, 0)  # SO_LINGER: what was sent still arrives

LOOK = 1.0
"""Seconds after which a side that nothing is read from is looked at: it may have been reset. What it said before that and
nobody takes is given up."""

Feed = Callable[[Copy], object]
"""Called when a copy begins to wait for room: who calls `flush` then."""


async def connect_onward(to: Address) -> socket.socket:
    """Connect to where a client wanted to go, past our own rules. Raises OSError."""
    family = family_of(to)
    onward = Sockets(marked=True).open(family, socket.SOCK_STREAM)
    try:
        # Not Trio's: it looks addresses up as if they were names, with modules that we may have no right to load by now.
        code = onward.connect_ex(to_system(to, family))
        if code == errno.EINPROGRESS:
            await trio.lowlevel.wait_writable(onward)
            code = onward.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        _check(code)
    except BaseException:
        onward.close()
        raise
    return onward


async def pump(client: socket.socket, target: socket.socket, copy: Copy | None, feed: Feed) -> None:
    """Carry bytes both ways until both have ended; close both sockets.

    Ends and resets of one side become the other's. If this is cancelled, or the process killed, both are reset.
    """
    for each in (client, target):
        each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    whole = True
    ended = {client: trio.Event(), target: trio.Event()}

    async def carry(source: socket.socket, sink: socket.socket, taps: Copy | None) -> None:
        nonlocal whole
        try:
            await _carry(source, sink, taps, feed)
            ended[source].set()
            while not ended[sink].is_set():
                with trio.move_on_after(LOOK):
                    await ended[sink].wait()
                _check(source.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        except OSError:
            whole = False
            nursery.cancel_scope.cancel()

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(carry, client, target, copy)
            await carry(target, client, None)
        if whole:
            for each in (client, target):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _GENTLY)
    finally:
        client.close()
        target.close()
        if copy is not None:
            copy.cut()


async def _carry(source: socket.socket, sink: socket.socket, copy: Copy | None, feed: Feed) -> None:
    """Carry one direction to its end. Raises OSError where either side broke."""
    row = 0
    while True:
        try:
            data = source.recv(CHUNK)
        except BlockingIOError:
            await trio.lowlevel.wait_readable(source)
            row = 0
            continue
        if not data:
            break
        sent = _send(sink, data)
        if copy is not None:
            waited = copy.waiting
            copy.put(data)
            if copy.waiting and not waited:
                feed(copy)
        while sent < len(data):
            with trio.move_on_after(LOOK) as patience:
                await trio.lowlevel.wait_writable(sink)
            if patience.cancelled_caught:
                _check(source.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
            sent += _send(sink, memoryview(data)[sent:])
        row += 1
        if row == IN_A_ROW:
            await trio.lowlevel.checkpoint()
            row = 0
    if copy is not None:
        copy.end()
    try:
        sink.shutdown(socket.SHUT_WR)
    except OSError:  # it is gone, which its own direction tells
        await trio.lowlevel.checkpoint()


def _check(code: int) -> None:
    if code:
        raise OSError(code, os.strerror(code))


def _send(sink: socket.socket, data: bytes | memoryview) -> int:
    try:
        return sink.send(data)
    except BlockingIOError:
        return 0
