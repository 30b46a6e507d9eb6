"""Real agents for targets in network namespaces: who may enter which, what is kept, what is lacking and why."""

from __future__ import annotations

import os

import pytest

import agent_kit
from agent_kit import NOBODY, failing, needs_root, start_agent, start_target, talk
from mirrord_agent.target.machine import NETWORK_CAPABILITIES
from mirrord_protocol.client import Client
from mirrord_protocol.network_values import Address
from mirrord_protocol.values import ALL_CAPABILITIES, Capability, FailureKind

NETWORK = Capability.NAMES | Capability.OUTGOING | Capability.INCOMING
MAPPED = (f"--user={NOBODY}", "--user-namespace=mapped")


def same_network(agent: agent_kit.Agent, pid: int) -> bool:
    return os.path.samefile(f"/proc/{agent.process.pid}/ns/net", f"/proc/{pid}/ns/net")


def capabilities(agent: agent_kit.Agent) -> int:
    status = agent.status()
    assert status["CapEff"] == status["CapPrm"]
    assert int(status["CapInh"], 16) == int(status["CapAmb"], 16) == 0
    return int(status["CapEff"], 16)


async def reasons_of(client: Client) -> dict[Capability, str]:
    """What its agent lacks, and why; files are to be had whatever that is."""
    welcome = client.welcome
    assert (await client.readlink(b"/proc/self")).isdigit()
    assert (await client.stat(b"/etc")).allowed & os.R_OK
    missing = Capability(sum(each.capability for each in welcome.lacking))
    assert welcome.capabilities == ALL_CAPABILITIES & ~missing
    assert {each.reason.kind for each in welcome.lacking} <= {FailureKind.FORBIDDEN}
    return {each.capability: each.reason.text for each in welcome.lacking}


def lacking(agent: agent_kit.Agent) -> dict[Capability, str]:
    return talk(agent, reasons_of)


@needs_root
@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--network=own",),
        ("--network=own", "--isolated", "--hostname=shop"),
        ("--network=first", "--user=1234"),
        (*MAPPED, "--network=own"),
        ("--user-namespace=mapped", "--network=own"),
    ],
)
def test_root_serves_all_of_it(arguments: tuple[str, ...]) -> None:
    with start_target(*arguments) as target, start_agent(target.pid) as agent:
        assert same_network(agent, target.pid)
        assert capabilities(agent) & NETWORK_CAPABILITIES
        assert agent.status()["NoNewPrivs"] == "1"
        assert lacking(agent) == {}


@needs_root
def test_a_namespace_that_the_targets_own_has_no_power_over() -> None:
    """Root enters both, but within the target's user namespace it has no rights over what root's owns."""
    arguments = ("--network=first", f"--user={NOBODY}", "--user-namespace=unmapped")
    with start_target(*arguments) as target, start_agent(target.pid) as agent:
        assert same_network(agent, target.pid)
        assert not capabilities(agent) & NETWORK_CAPABILITIES
        reasons = lacking(agent)

    assert list(reasons) == [Capability.INCOMING]
    assert f"process {target.pid} can't be redirected" in reasons[Capability.INCOMING]
    assert "user namespace has no power" in reasons[Capability.INCOMING]


def test_an_ordinary_user_serves_an_own_network() -> None:
    become = [f"--user={NOBODY}"] if agent_kit.IS_ROOT else []
    user = NOBODY if agent_kit.IS_ROOT else None
    with (
        start_target(*become, "--user-namespace=mapped", "--network=own", "--isolated") as target,
        start_agent(target.pid, user=user) as agent,
    ):
        assert same_network(agent, target.pid)
        assert capabilities(agent) & NETWORK_CAPABILITIES
        assert talk(agent, nothing_is_there) == "ENETUNREACH"  # its loopback is down, ours isn't


async def nothing_is_there(client: Client) -> str:
    assert (await client.resolve(b"localhost")).addresses
    return await failing(client.connect(Address(bytes([127, 0, 0, 1]), 9)))


@needs_root
def test_an_ordinary_user_in_everybodys_network() -> None:
    with start_target(f"--user={NOBODY}") as target, start_agent(target.pid, user=NOBODY) as agent:
        assert same_network(agent, target.pid)
        assert capabilities(agent) == 0
        reasons = lacking(agent)

    assert list(reasons) == [Capability.INCOMING]
    assert "run mirrord as root" in reasons[Capability.INCOMING]


@needs_root
@pytest.mark.parametrize("namespaces", [(), ("--user-namespace=unmapped",)])
def test_a_network_that_a_user_may_not_enter(namespaces: tuple[str, ...]) -> None:
    async def block(client: Client) -> dict[Capability, str]:
        for call in (
            client.resolve(b"localhost"),
            client.reverse(Address(bytes(4), 0)),
            client.query(bytes(12)),
            client.connect(Address(bytes(4), 9)),
            client.datagrams(),
        ):
            assert await failing(call) == "FORBIDDEN"
        return await reasons_of(client)

    arguments = ("--network=first", f"--user={NOBODY}", *namespaces)
    with start_target(*arguments) as target, start_agent(target.pid, user=NOBODY) as agent:
        assert not same_network(agent, target.pid)
        assert not capabilities(agent) & NETWORK_CAPABILITIES
        reasons = talk(agent, block)

    assert set(reasons) == set(NETWORK)
    assert len(set(reasons.values())) == 1
    assert "network namespace of its own" in reasons[Capability.NAMES]
    assert "run mirrord as root" in reasons[Capability.NAMES]
