"""Subscriptions of a session: from the table that takes a port to the last of its connections.

What is decided is machine.py's; rules/, listener/, established/ and mirror/ do the parts. The connections run in the
agent's nursery, since they outlive their subscription.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from typing import Protocol

import trio

from mirrord_agent.incoming import machine
from mirrord_agent.incoming.established.driver import reset_established
from mirrord_agent.incoming.listener.driver import Arrived, RedirectListener
from mirrord_agent.incoming.mirror.driver import connect_onward, pump
from mirrord_agent.incoming.mirror.machine import Copy
from mirrord_agent.incoming.rules.driver import LegacyTables, Rules
from mirrord_agent.incoming.rules.machine import Mesh
from mirrord_agent.kernel.layouts import SOCKET_MARK
from mirrord_agent.log import Log
from mirrord_protocol.connections import Connection
from mirrord_protocol.failure import RemoteError
from mirrord_protocol.network_values import Address, Subscribe, Subscribed, SubscribeMode
from mirrord_protocol.relay import relay
from mirrord_protocol.values import Answer, Failure

FAREWELL = 3.0
"""Seconds that mirrored connections get after their session's end, until they are reset."""


class Subscriber(Protocol):
    """The way back to the session: what is used of the protocol's `Reply`."""

    def answer(self, value: Answer) -> None:
        """Answer well."""

    def fail(self, failure: Failure) -> None:
        """Answer badly."""

    def incoming(self, peer: Address, local: Address) -> Connection:
        """Tell of a connection."""


class Incoming:
    """What comes to the target's ports, for one session.

    Make it once the agent is in the target's network, and before it opens much else: see Rules.
    """

    def __init__(self, nursery: trio.Nursery, log: Log, owner: str, legacy_tables: LegacyTables | None = None) -> None:
        """`owner` tells other sessions whose this one is: machine.owner_text; `legacy_tables` is as of Rules."""
        self._nursery = nursery
        self._log = log
        self._owner = owner
        self._rules = Rules(legacy_tables)
        self._living = 0
        self._leaving = trio.Event()
        self._rested = trio.Event()

    def lacking(self) -> Failure | None:
        """Return why ports can't be subscribed here, or None."""
        return self._rules.lacking

    def give_up_ports(self) -> None:
        """Redirect nothing more; subscriptions hear of it when their session ends, which is to follow."""
        self._rules.drop_all()

    async def leave(self) -> None:
        """Let connections between the target and its clients end at a quiet moment; what isn't ours anyway goes on.

        Call it when all subscriptions are over. What remains after it is to be cancelled, and then reset.
        """
        self._leaving.set()
        if self._living:
            with trio.move_on_after(FAREWELL):
                await self._rested.wait()

    def close(self) -> None:
        """Give up all that is left of it in the target's network."""
        self._rules.close()

    async def serve(self, request: Subscribe, reply: Subscriber) -> None:
        """Carry out a subscription until cancelled. Raises OSError where it can't begin."""
        if self._rules.lacking is not None:
            reply.fail(self._rules.lacking)
            return
        try:
            listener, mesh = self._begin(request)
        except RemoteError as error:
            reply.fail(error.failure)
            return
        try:
            if request.reset:
                await self._reset_established(request.port, loopback=request.loopback or mesh is not None)
            reply.answer(Subscribed())
            self._log("info", "subscribed", port=request.port, mode=request.mode.name.lower(), mesh=mesh and mesh.name)
            await listener.run(lambda arrived: self._start(request.mode, reply, arrived))
        finally:
            self._end(request.port, listener)

    # ------------------------------------------------------------------------------------------ begin and end

    def _begin(self, request: Subscribe) -> tuple[RedirectListener, Mesh | None]:
        """Take a port and redirect it, or leave everything as it was. Never waits."""
        port = request.port
        if not port:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self._rules.take(port, machine.comment(self._owner, time.time()))
        try:
            mesh = self._rules.mesh()
            listener = RedirectListener(port, self._log)
            try:
                self._rules.redirect(port, listener.port, mark=SOCKET_MARK, loopback=request.loopback, mesh=mesh)
            except BaseException:
                listener.close()
                raise
        except BaseException:
            self._rules.drop(port)
            self._rest()
            raise
        return listener, mesh

    def _end(self, port: int, listener: RedirectListener) -> None:
        """Give a port back: what has come meanwhile is the target's."""
        self._rules.drop(port)
        for arrived in listener.close():
            self._start(SubscribeMode.MIRROR, None, arrived)
        self._rest()
        self._log("info", "unsubscribed", port=port)

    def _rest(self) -> None:
        if not self._living:
            self._rules.rest()
            if self._leaving.is_set():
                self._rested.set()

    async def _reset_established(self, port: int, *, loopback: bool) -> None:
        try:
            count = await reset_established(port, loopback=loopback)
        except OSError as error:
            self._log("warning", "connections established before stay the target's", port=port, reason=error.strerror)
        else:
            self._log("info", "connections established before were reset", port=port, count=count)

    # ------------------------------------------------------------------------------------------ connections

    def _start(self, mode: SubscribeMode, reply: Subscriber | None, arrived: Arrived) -> None:
        """Have a connection carried: to the session, or on to the target, with a copy if there is a `reply`."""
        self._living += 1
        self._nursery.start_soon(self._carry, mode, reply, arrived)

    async def _carry(self, mode: SubscribeMode, reply: Subscriber | None, arrived: Arrived) -> None:
        client, peer, local = arrived
        try:
            if mode == SubscribeMode.MIRROR:
                await self._pass_on(client, peer, local, reply)
                return
            assert reply is not None
            connection = self._announce(reply, peer, local)
            if connection is None:
                client.close()
            elif connection.over:  # the session has unsubscribed meanwhile
                await self._pass_on(client, peer, local, None)
            else:
                await relay(trio.socket.from_stdlib_socket(client), connection, delivered=True)
        finally:
            self._living -= 1
            self._rest()

    def _announce(self, reply: Subscriber, peer: Address, local: Address) -> Connection | None:
        try:
            return reply.incoming(peer, local)
        except OSError as error:
            self._log("warning", "a connection isn't the session's", port=local.port, reason=error.strerror)
            return None

    async def _pass_on(self, client: socket.socket, peer: Address, local: Address, reply: Subscriber | None) -> None:
        """Carry a connection on to the target."""
        try:
            target = await connect_onward(local)
        except OSError as error:
            self._log("info", "the target refused a connection", port=local.port, reason=error.strerror)
            client.close()
            return
        except BaseException:
            client.close()
            raise
        connection = self._announce(reply, peer, local) if reply else None
        copy = None if connection is None or connection.over else Copy(connection)
        async with trio.open_nursery() as nursery:

            def feed(copy: Copy) -> None:
                assert connection is not None
                nursery.start_soon(self._feed, copy, connection)

            await pump(client, target, copy, feed, self._leaving)

    async def _feed(self, copy: Copy, connection: Connection) -> None:
        """Send what waits of a copy, until nothing does."""
        copy.flush()  # there may be room since it began to wait
        while copy.waiting:
            await connection.wait_for_room()
            copy.flush()
        if copy.dropped:
            self._log("warning", "a copy was dropped: the session is too slow", port=port_of(connection))


def port_of(connection: Connection) -> int | None:
    """Return the target's port of a connection."""
    return connection.local.port if isinstance(connection.local, Address) else None
