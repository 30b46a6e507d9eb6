"""What serves a session: which right a request takes, who is refused, and what ends it; its requests have their own tests."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import trio

from agent_service import TOKEN, hold_folder
from mirrord_agent import server
from mirrord_agent.log import Log
from mirrord_agent.server import capability_of
from mirrord_agent.target.refusals import TargetRefused
from mirrord_protocol.client import RemoteError, open_client
from mirrord_protocol.network_values import (
    Address,
    Connect,
    Datagrams,
    Query,
    Resolve,
    Reverse,
    Subscribe,
    SubscribeMode,
)
from mirrord_protocol.server import Service, Until, serve
from mirrord_protocol.values import Capability, Failure, FailureKind, Hello, Open, Request, StatPath

END = Failure(FailureKind.GONE, None, "the agent was told to end")


@pytest.mark.parametrize(
    ("request_", "capability"),
    [
        (StatPath(b"/"), Capability.FILES),
        (Open(b"/"), Capability.FILES),
        (Resolve(b"a"), Capability.NAMES),
        (Reverse(Address(bytes(4), 0)), Capability.NAMES),
        (Query(bytes(12)), Capability.NAMES),
        (Connect(Address(bytes(4), 0)), Capability.OUTGOING),
        (Datagrams(), Capability.OUTGOING),
        (Subscribe(port=80, mode=SubscribeMode.STEAL), Capability.INCOMING),
    ],
)
def test_what_a_request_needs(request_: Request, capability: Capability) -> None:
    assert capability_of(request_) == capability


def test_a_refused_target_is_told_to_the_session_alone() -> None:
    refusal = TargetRefused(FailureKind.FORBIDDEN, "no permission")

    async def carry(service: Service, until: Until) -> Failure:
        with pytest.raises(RemoteError) as caught:
            await service.welcome(Hello(TOKEN))
        assert await until() == END
        return caught.value.failure

    async def told_to_end() -> Failure:
        return END

    async def run() -> Failure:
        return await server.run(carry, refusal, Log("error"), owner="", told_to_end=told_to_end)

    assert trio.run(run) == refusal.failure


def test_what_tells_it_to_end_is_told_to_the_session(tmp_path: Path) -> None:
    told = trio.Event()

    async def told_to_end() -> Failure:
        await told.wait()
        return END

    async def run() -> None:
        ours, its = trio.socket.socketpair()

        async def carry(service: Service, until: Until) -> Failure:
            digest = hashlib.sha256(TOKEN).digest()
            return await serve(trio.SocketStream(its), token_digest=digest, service=service, until=until)

        async def agent() -> None:
            failure = await server.run(
                carry, hold_folder(tmp_path), Log("error"), owner="somebody", told_to_end=told_to_end
            )
            assert failure == END

        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(agent)
                async with open_client(trio.SocketStream(ours), Hello(TOKEN)) as client:
                    assert (await client.stat(b"/")).mode
                    told.set()
                    assert await client.wait_lost() == END

    trio.run(run)
