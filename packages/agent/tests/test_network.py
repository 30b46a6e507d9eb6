"""Real agents for a target with a network, servers and files of its own: what is found and reached is the target's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import dns.message
import pytest

from agent_kit import HERE, NOBODY, failing, needs_root, start_agent, start_target, talk
from agent_names import Remote, start
from mirrord_protocol.client import Client
from mirrord_protocol.network_values import Address, NameOutcome

LOOPBACK = bytes([127, 0, 0, 1])
T = TypeVar("T")


@pytest.fixture(scope="module")
def remote() -> Iterator[Remote]:
    with start() as remote:
        remote.put()
        yield remote


def play(remote: Remote, block: Callable[[Client], Awaitable[T]]) -> T:
    with start_agent(remote.pid) as agent:
        return talk(agent, block)


def test_names(remote: Remote) -> None:
    async def block(client: Client) -> None:
        found = await client.resolve(b"www", canonical_name=True)
        assert (found.outcome, found.name) == (NameOutcome.FOUND, b"www.shop.test")
        assert {address.host for address in found.addresses} == {bytes([10, 7, 0, 3]), b"\xfd\x07" + bytes(13) + b"\3"}
        assert (await client.resolve(b"nothing")).outcome == NameOutcome.NO_NAME
        assert (await client.reverse(Address(bytes([10, 7, 0, 2]), 0))).name == b"here.shop.test"
        answer = dns.message.from_wire(await client.query(dns.message.make_query("text.shop.test", "TXT").to_wire()))
        assert str(answer.answer[0][0]) == '"pears"'
        assert await failing(client.query(b"nonsense")) == "PROTOCOL"

    play(remote, block)


def test_connections_are_the_targets(remote: Remote) -> None:
    """Its DNS server listens on its loopback, ours doesn't."""

    async def block(client: Client) -> None:
        message = dns.message.make_query("www.shop.test", "A").to_wire()
        connection = await client.connect(Address(LOOPBACK, 53))
        came: list[bytes] = []
        connection.pour_into(lambda chunks, _end: came.extend(map(bytes, chunks)))
        connection.send(len(message).to_bytes(2, "big") + message, end=True)
        await connection.wait_over()
        assert dns.message.from_wire(b"".join(came)[2:]).answer
        assert await failing(client.connect(Address(bytes([192, 0, 2, 1]), 80))) == "ENETUNREACH"

    play(remote, block)


def test_a_connection_that_would_meet_itself(remote: Remote) -> None:
    """Who connects to a free port of this machine may be given that very port."""

    async def block(client: Client) -> str:
        return await failing(client.connect(Address(LOOPBACK, 40_000)))

    remote.ask(ports="40000 40000")
    assert play(remote, block) == "ECONNREFUSED"
    remote.ask(ports="32768 60999")


SERVER = """
import ctypes, os, sys, trio
ctypes.CDLL(None).setns(int(sys.argv[1]), 0)
os.system("ip link set lo up")
from agent_dns import Server
async def main():
    async with trio.open_nursery() as nursery:
        await nursery.start(Server("127.0.0.1").run)
        print("ready", flush=True)
trio.run(main)
"""


@contextmanager
def serving_in(pid: int) -> Iterator[None]:
    """Run a DNS server in the network of a process."""
    network = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    command = [sys.executable, "-c", SERVER, str(network)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=HERE, pass_fds=[network]) as process:
        os.close(network)
        try:
            assert process.stdout and process.stdout.readline() == b"ready\n"
            yield
        finally:
            process.kill()


@needs_root
def test_names_for_a_user_who_cannot_read_our_modules() -> None:
    """All that is needed was loaded before the agent became that user."""

    async def block(client: Client) -> None:
        for kind in ("A", "AAAA", "PTR", "TXT"):
            await client.query(dns.message.make_query("www.shop.test", kind).to_wire())
        for name in (b"www.shop.test", b"alias.shop.test", b"nothing.shop.test", b"many.shop.test", b"127.1"):
            assert (await client.resolve(name)).outcome in {NameOutcome.FOUND, NameOutcome.NO_NAME}
        assert (await client.reverse(Address(bytes([10, 7, 0, 3]), 0))).name == b"www.shop.test"
        (await client.connect(Address(LOOPBACK, 53))).reset()
        (await client.datagrams()).close()

    with (
        start_target("--network=first", f"--user={NOBODY}", "--isolated") as target,
        serving_in(target.pid),
        start_agent(target.pid) as agent,
    ):
        target.write("/etc/resolv.conf", b"nameserver 127.0.0.1\noptions edns0\n")
        target.write("/etc/hosts", b"127.0.0.1 localhost\n")
        assert agent.status()["Uid"].split()[0] == str(NOBODY)
        talk(agent, block)
