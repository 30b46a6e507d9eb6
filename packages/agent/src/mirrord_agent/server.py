"""What the agent does for its session: each request to its calls, in a thread where they may wait, and back.

Calls about files are files/driver.py's, frames and credit the protocol's. The counterpart is the session's agent/.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import trio

from mirrord_agent.env import machine as env
from mirrord_agent.files.driver import Files
from mirrord_agent.files.requests.driver import FileRequests
from mirrord_agent.files.walk.driver import Paths
from mirrord_agent.files.watches.driver import Watches
from mirrord_agent.incoming.driver import Incoming
from mirrord_agent.log import Log
from mirrord_agent.outgoing.datagrams.driver import carry
from mirrord_agent.outgoing.driver import Outgoing
from mirrord_agent.sockets.driver import Sockets
from mirrord_agent.target import driver as target_driver
from mirrord_agent.target.driver import HeldTarget
from mirrord_agent.target.refusals import TargetRefused
from mirrord_agent.workers.driver import Workers
from mirrord_protocol.failure import RemoteError
from mirrord_protocol.network_values import Connect, Datagrams, Query, Resolve, Reverse, Subscribe
from mirrord_protocol.server import Reply, Service, Until
from mirrord_protocol.values import (
    ALL_CAPABILITIES,
    Capability,
    Failure,
    FailureKind,
    Hello,
    Lacking,
    Request,
    Target,
    Welcome,
)

TARGET_ENDED = Failure(FailureKind.GONE, None, "the target has ended")

if TYPE_CHECKING:
    from mirrord_agent.names.driver import Names


def load_names() -> None:
    """Load all that finds names: behind the welcome, or before our rights change and may not suffice to read it."""
    from mirrord_agent.names.driver import load

    load()


Carry = Callable[[Service, Until], Awaitable[Failure]]
"""Serves a session by a service, until that is over; returns why it ended."""


async def run(carry: Carry, target: HeldTarget | TargetRefused, log: Log, *, owner: str, told_to_end: Until) -> Failure:
    """Serve one session to its end, or to the target's.

    Args:
        carry: What brings the session.
        target: Whom it is served for, or why it can't be.
        log: Where events are logged.
        owner: How other sessions are told of this one.
        told_to_end: Returns when the agent is to end.
    """
    if isinstance(target, TargetRefused):
        return await carry(RefusingService(target.failure), told_to_end)
    with ExitStack() as stack:
        async with trio.open_nursery() as nursery:
            incoming = Incoming(nursery, log, owner, target.legacy_tables) if target.rules is None else None
            service = AgentService(target, log, incoming)
            stack.callback(service.close)  # when all connections have ended: their resets need its rules

            async def told() -> Failure:
                failure = await told_to_end()
                service.give_up_ports()
                return failure

            nursery.start_soon(service.pass_on_changes)
            nursery.start_soon(service.load_names)
            failure = await carry(service, partial(_first_of, told, service.wait_target_ended))
            await service.leave()
            nursery.cancel_scope.cancel()
    return failure


async def _first_of(*waiting: Until) -> Failure:
    """Return what the first of them returns."""
    failures = list[Failure]()
    async with trio.open_nursery() as nursery:

        async def wait(each: Until) -> None:
            failures.append(await each())
            nursery.cancel_scope.cancel()

        for each in waiting:
            nursery.start_soon(wait, each)
    return failures[0]


class RefusingService:
    """Tells a session with the right token why there is nothing to be had."""

    def __init__(self, failure: Failure) -> None:
        self._failure = failure

    async def welcome(self, hello: Hello) -> Welcome:  # noqa: ARG002 - the same answer to all
        """Refuse."""
        raise RemoteError(self._failure)

    async def handle(self, request_id: int, request: Request, reply: Reply) -> None:  # noqa: ARG002
        """Never be called: the session was refused."""
        raise AssertionError(request_id)

    def closed(self, request_id: int) -> None:
        """Never be called either."""
        raise AssertionError(request_id)


class AgentService:
    """One target's environment, files and network."""

    def __init__(self, target: HeldTarget, log: Log, incoming: Incoming | None) -> None:
        self._target = target
        self._log = log
        self._incoming = incoming
        paths = Paths(target.root, process_ids=target.process_ids, start=target.start, outside_root=target.outside_root)
        self._watches = Watches()
        self._workers = Workers()
        self._calls = Files(paths, self._watches)
        self._files = FileRequests(self._calls, self._watches, self._workers)
        self._lacking = lacking(target, incoming)
        self._sockets = Sockets(marked=target.rules is None)
        self._names: Names | None = None
        self._welcomed = trio.Event()
        self._outgoing = Outgoing(paths, self._workers, self._sockets)

    async def welcome(self, hello: Hello) -> Welcome:
        """Answer a hello with what the target is, and with its environment if that is wanted."""
        if not target_driver.alive(self._target):
            raise RemoteError(TARGET_ENDED)
        variables: tuple[tuple[bytes, bytes], ...] = ()
        if hello.environment:
            data = await self._workers.run(lambda: target_driver.environment(self._target))
            variables = env.select(env.parse(data), hello.include, hello.exclude)
        target = self._target
        self._welcomed.set()
        return Welcome(
            target=Target(
                target.pid, target.user_id, target.group_id, target.name, target.hostname, target.working_directory
            ),
            environment=variables,
            capabilities=ALL_CAPABILITIES & ~sum(self._lacking),
            lacking=tuple(Lacking(capability, reason) for capability, reason in self._lacking.items()),
        )

    def give_up_ports(self) -> None:
        """Let all that comes from now on be the target's, before anything else is done."""
        if self._incoming:
            self._incoming.give_up_ports()

    async def leave(self) -> None:
        """Let what others do through us come to an end, for a moment."""
        if self._incoming:
            await self._incoming.leave()

    def close(self) -> None:
        """Let go of what isn't the session's: its handles are closed by then."""
        self._watches.close()
        if self._incoming:
            self._incoming.close()

    # ------------------------------------------------------------------------------------------ tasks

    async def wait_target_ended(self) -> Failure:
        """Return when the target has ended."""
        await trio.lowlevel.wait_readable(self._target.death)
        self._log("info", "the target has ended")
        return TARGET_ENDED

    async def pass_on_changes(self) -> None:
        """Tell the session of watched listings that have changed."""
        await self._files.pass_on_changes()

    async def load_names(self) -> None:
        """Load what finds names while the session's program starts, so that its first name needn't wait for that."""
        await self._welcomed.wait()
        await self._workers.run(load_names)

    # ------------------------------------------------------------------------------------------ requests

    async def handle(self, request_id: int, request: Request, reply: Reply) -> None:
        """Carry out one request."""
        if reason := self._lacking.get(capability_of(request)):
            reply.fail(reason)
            return
        try:
            await self._carry_out(request_id, request, reply)
        except RemoteError as error:
            reply.fail(error.failure)
        except OSError:
            # When a process ends its mounts go first: what wasn't found then says nothing about the target.
            if target_driver.alive(self._target):
                raise
            reply.fail(TARGET_ENDED)

    async def _carry_out(self, id_: int, request: Request, reply: Reply) -> None:
        match request:
            case Resolve():
                reply.answer(await (await self._find_names()).resolve(request))
            case Reverse():
                reply.answer(await (await self._find_names()).reverse(request))
            case Query():
                reply.answer(await (await self._find_names()).query(request))
            case Connect():
                await self._outgoing.connect(request, reply)
            case Datagrams():
                await carry(request, reply, self._sockets)
            case Subscribe():
                assert self._incoming
                await self._incoming.serve(request, reply)
            case _:
                await self._files.carry_out(id_, request, reply)

    async def _find_names(self) -> Names:
        """Return what finds names."""
        if self._names is None:
            await self._workers.run(load_names)
            from mirrord_agent.names.driver import Names

            target = self._target
            data = await self._workers.run(lambda: target_driver.environment(target))
            self._names = Names(
                self._calls,
                self._workers,
                self._sockets,
                hostname=target.hostname,
                variables=dict(env.parse(data)),
            )
        return self._names

    def closed(self, request_id: int) -> None:
        """Let go of what an id held."""
        self._files.closed(request_id)


def lacking(target: HeldTarget, incoming: Incoming | None) -> dict[Capability, Failure]:
    """Return what we can't do for a target, and why."""
    reasons = {
        Capability.NAMES: target.network,
        Capability.OUTGOING: target.network,
        Capability.INCOMING: incoming.lacking() if incoming else target.rules,
    }
    return {capability: reason for capability, reason in reasons.items() if reason}


def capability_of(request: Request) -> Capability:
    """Return what a request needs."""
    match request:
        case Resolve() | Reverse() | Query():
            return Capability.NAMES
        case Connect() | Datagrams():
            return Capability.OUTGOING
        case Subscribe():
            return Capability.INCOMING
    return Capability.FILES
