"""Whole agents as in pods, over TCP: a journey, every level of rights, and every way to end."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

import agent_kit
import pod_kit
from agent_kit import failing, needs_root, start_target
from mirrord_agent import __version__
from mirrord_protocol.client import Client, RemoteError
from mirrord_protocol.connections import Connection
from mirrord_protocol.network_values import Address, SubscribeMode
from mirrord_protocol.relay import relay
from mirrord_protocol.values import Capability, FailureKind
from pod_kit import DEFAULT, PodAgent, capabilities, start_in_pod

pytestmark = needs_root
LOOPBACK = bytes([127, 0, 0, 1])
JOB = ("--capabilities", f"{DEFAULT | capabilities('SYS_ADMIN SYS_PTRACE NET_ADMIN DAC_READ_SEARCH'):x}")
FULL = ("--capabilities", f"{DEFAULT | capabilities('NET_ADMIN'):x}")
OWNER = ("--owner", "alice on laptop, process 7")
BASELINE = ("--capabilities", f"{DEFAULT:x}")


@pytest.fixture
def words() -> Iterator[Path]:
    """A file that everybody may write; tmp_path is root's alone."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder) / "words"


@pytest.fixture(scope="module")
def shop() -> Iterator[agent_kit.Target]:
    """A container with a network, a root and processes of its own, and an ordinary user."""
    arguments = ("--user=1234", "--groups", "5", "--isolated", "--network=own", "--hostname=shop")
    with start_target(*arguments, environment={"SHOP": "Pears & Sons"}) as target:
        pod_kit.set_up_loopback(target.pid)
        target.write("/srv/price", b"7\n")
        os.chmod(target.write("/srv/secret", b"x", mode=0o600), 0o600)
        yield target


def what_it_lacks(client: Client) -> dict[Capability, str]:
    return {each.capability: each.reason.text for each in client.welcome.lacking}


@contextmanager
def job(target: agent_kit.Target, words: Path, rights: tuple[str, ...] = JOB, **options: Any) -> Iterator[PodAgent]:
    """An agent for a container, as in a Job."""
    with ExitStack() as stack:
        id_, _ = stack.enter_context(pod_kit.container(target.pid))
        arguments = ("--target-container", id_)
        yield stack.enter_context(start_in_pod(words, *arguments, container_options=rights, **options))


@contextmanager
def beside(target: agent_kit.Target, words: Path, *rights: str) -> Iterator[PodAgent]:
    """An agent among a container's processes, as an ephemeral container; the names of control groups are hidden."""
    options = ("--beside", str(target.pid), *rights)
    with start_in_pod(words, "--target-container", "a" * 64, container_options=options) as agent:
        yield agent


IMPOSTOR = """
import os, socket, sys, trio
from mirrord_protocol.client import RemoteError, open_client
from mirrord_protocol.values import Hello

os.setuid(1234)
connection = socket.socket(socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET)
connection.connect((sys.argv[2], int(sys.argv[1])))

async def main():
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(connection))
    try:
        async with open_client(stream, Hello(bytes.fromhex(input()))):
            print("welcome")
    except RemoteError as error:
        print(error.failure.kind.name, error.failure.text)

trio.run(main)
"""
"""Has come by the token, as a process of the target's may that held the port before the agent did."""


@pytest.mark.parametrize("way", ["127.0.0.1", "::ffff:127.0.0.1"])
def test_an_impostor_beside_the_target(shop: agent_kit.Target, words: Path, way: str) -> None:
    """It has the token, and is refused for who it is; the session comes in all the same."""
    impostor = [sys.executable, "-P", "-c", IMPOSTOR]
    with beside(shop, words, *FULL) as agent:
        agent.wait_ready()
        done = subprocess.run(
            [*impostor, str(agent.port), way], input=agent.token.hex(), capture_output=True, text=True
        )
        assert done.stdout.startswith("FORBIDDEN this connection was made by a process beside the agent"), done.stderr
        assert agent.talk(user_of) == 1234
    assert [line["reason"] for line in agent.log if line["level"] == "warning"] == ["its user is 1234"]


async def user_of(client: Client) -> int:
    return client.welcome.target.uid


# ---------------------------------------------------------------------------------------------- a journey


def test_a_job_beside_a_container(shop: agent_kit.Target, words: Path) -> None:
    """Environment, files, outgoing and incoming of a container that is found by its id."""
    server = pod_kit.in_network(shop.pid, lambda: socket.create_server(("127.0.0.1", 80)))

    async def block(client: Client) -> None:
        assert dict(client.welcome.environment) == {b"SHOP": b"Pears & Sons"}
        target = client.welcome.target
        assert (target.pid, target.uid, target.hostname) == (shop.pid, 1234, b"shop")
        assert what_it_lacks(client) == {}
        assert await agent_kit.content(client, b"/srv/price") == b"7\n"
        assert await failing(client.open(b"/srv/secret")) == "EACCES"
        assert await client.readlink(b"/proc/self/cwd") == b"/srv"
        outgoing = await client.connect(Address(LOOPBACK, 80))
        assert await trio.to_thread.run_sync(accept_and_say, server) == LOOPBACK
        assert await first_bytes(outgoing) == b"hello"

        send, receive = trio.open_memory_channel[Connection](1)
        subscription = await client.subscribe(80, SubscribeMode.STEAL, send.send_nowait)
        assert "table inet mirrord_80" in pod_kit.rules(shop.pid)
        assert "alice on laptop, process 7" in pod_kit.rules(shop.pid)
        with pod_kit.in_network(shop.pid, lambda: socket.create_connection(("127.0.0.1", 80))) as caller:
            caller.sendall(b"question")
            assert await first_bytes(await receive.receive()) == b"question"
        subscription.close()

    with server, job(shop, words, options=OWNER) as agent:
        agent.talk(block)
        assert agent.last_words() == "The agent has ended: the session has ended."
    assert pod_kit.rules(shop.pid) == ""
    assert [line["event"] for line in agent.log if line["level"] != "info"] == []
    assert {line["target"] for line in agent.log} == {shop.pid}


async def first_bytes(connection: Connection) -> bytes:
    """What the other side says first."""
    ours, its = trio.socket.socketpair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(relay, its, connection)
        with ours:
            data = await ours.recv(100)
        nursery.cancel_scope.cancel()
    return data


def accept_and_say(server: socket.socket) -> bytes:
    made, (host, _) = server.accept()
    with made:
        made.sendall(b"hello")
    return socket.inet_aton(host)


def test_a_mesh_whose_rules_root_alone_may_see(shop: agent_kit.Target, words: Path) -> None:
    """They are of iptables-legacy, and the target is an ordinary user's: their list was opened before."""
    program = shutil.which("iptables-legacy")
    if program is None:
        pytest.skip("this machine has no iptables-legacy")
    in_network = ("nsenter", "-t", str(shop.pid), "-n")
    made = subprocess.run([*in_network, program, "-t", "nat", "-N", "ISTIO_INBOUND"], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"the kernel has no iptables-legacy: {made.stderr.strip()}")

    async def block(client: Client) -> None:
        await client.subscribe(83, SubscribeMode.STEAL, lambda _: None)

    try:
        with job(shop, words) as agent:
            agent.talk(block)
    finally:
        subprocess.run([*in_network, program, "-t", "nat", "-X", "ISTIO_INBOUND"], check=True)
    assert [line["mesh"] for line in agent.log if line["event"] == "subscribed"] == ["istio"]


# ---------------------------------------------------------------------------------------------- rights


async def looks(client: Client) -> tuple[int, int, set[Capability]]:
    """Look at it all, and return whom the target runs as and what is lacking."""
    assert await client.readlink(b"/proc/self/cwd")
    assert (await client.stat(b"/proc/self/environ")).uid == client.welcome.target.uid
    return client.welcome.target.uid, client.welcome.target.gid, set(what_it_lacks(client))


INCOMING = {Capability.INCOMING}
NETWORK = {Capability.NAMES, Capability.OUTGOING, Capability.INCOMING}


@pytest.mark.parametrize(
    ("lacking", "missing"),
    [("SYS_PTRACE", set()), ("NET_ADMIN", INCOMING), ("SYS_ADMIN", NETWORK), ("SETFCAP DAC_READ_SEARCH", set())],
)
def test_a_job_without(lacking: str, missing: set[Capability], shop: agent_kit.Target, words: Path) -> None:
    """Of its capabilities some may be taken away; what then is lacking is told."""
    with job(shop, words, ("--capabilities", f"{int(JOB[1], 16) & ~capabilities(lacking):x}")) as agent:
        assert agent.talk(looks) == (1234, 1234, missing)


def test_a_job_that_cannot_become_the_targets_user(shop: agent_kit.Target, words: Path) -> None:
    with job(shop, words, ("--capabilities", f"{int(JOB[1], 16) & ~capabilities('SETUID'):x}")) as agent:
        failure = agent.refusal()
        assert failure.kind == FailureKind.FORBIDDEN
        assert "SETUID" in failure.text
        assert failure.text in agent.last_words(69)


@pytest.mark.parametrize(("rights", "missing"), [(FULL, set()), (BASELINE, INCOMING)])
def test_an_ephemeral_container(rights: tuple[str, ...], missing: set[Capability], words: Path) -> None:
    """Without SYS_PTRACE, as root at first."""
    with start_target("--user=1234", "--isolated") as target, beside(target, words, *rights) as agent:
        assert agent.talk(looks) == (1234, 1234, missing)


def test_an_ephemeral_container_as_the_targets_user(words: Path) -> None:
    """Without any capability, as Pod Security's `restricted` has it."""
    with (
        start_target("--user=1234", "--isolated") as target,
        beside(target, words, "--user", "1234", "1234") as agent,
    ):
        assert agent.talk(looks) == (1234, 1234, INCOMING)


@pytest.mark.parametrize("user", [("1234", "0"), ("1", "1234")])
def test_an_ephemeral_container_as_another_user(user: tuple[str, str], words: Path) -> None:
    with start_target("--user=1234", "--isolated") as target, beside(target, words, "--user", *user) as agent:
        failure = agent.refusal()
        assert failure.kind == FailureKind.FORBIDDEN
        assert "runs as user 1234 and group 1234" in failure.text
        assert f"as user {user[0]} and group {user[1]}" in failure.text
        assert failure.text in agent.last_words(69)


def test_a_target_with_more_capabilities(words: Path) -> None:
    with start_target("--isolated") as target, beside(target, words, *FULL) as agent:  # it has them all
        failure = agent.refusal()
        assert failure.kind == FailureKind.FORBIDDEN
        assert "capabilities that this agent lacks (DAC_READ_SEARCH, LINUX_IMMUTABLE" in failure.text


# ---------------------------------------------------------------------------------------------- no target


def test_without_a_target(words: Path) -> None:
    """The agent is its own; as a container's first process, without rights."""

    async def block(client: Client) -> None:
        target = client.welcome.target
        assert (target.pid, target.uid, target.gid) == (1, 1234, 1234)
        assert set(what_it_lacks(client)) == INCOMING
        assert "no target" in what_it_lacks(client)[Capability.INCOMING]
        assert b"PATH" in dict(client.welcome.environment)
        assert await client.readlink(b"/proc/self") == b"1"
        assert await client.readlink(b"/proc/self/root") == b"/"
        status = await client.open(b"/proc/self/status")
        assert b"NoNewPrivs:\t1" in await status.read(0, 4096).receive_all()
        assert await failing(client.connect(Address(LOOPBACK, 1))) == "ECONNREFUSED"
        assert (await client.resolve(b"localhost")).addresses

    container = ("--alone", "--user", "1234", "1234")
    with start_in_pod(words, "--target-self", container_options=container) as agent:
        agent.talk(block)


def test_a_container_that_is_not_there(words: Path) -> None:
    with start_in_pod(words, "--target-container", "b" * 64, container_options=JOB) as agent:
        failure = agent.refusal()
        assert failure.kind == FailureKind.GONE
        assert "bbbbbbbbbbbb…" in failure.text
        assert agent.last_words(69) == f"The target can't be served: {failure.text}."


def test_processes_that_are_not_shared(words: Path) -> None:
    with start_in_pod(words, "--target-container", "b" * 64, container_options=("--alone", *FULL)) as agent:
        failure = agent.refusal()
        assert failure.kind == FailureKind.UNSUPPORTED
        assert "agent.mode: job" in failure.text


# ---------------------------------------------------------------------------------------------- ends


async def works(client: Client) -> None:
    assert (await client.stat(b"/")).mode


def test_its_target_ends(words: Path) -> None:
    async def block(client: Client) -> str:
        await works(client)
        target.kill()
        return (await client.wait_lost()).text

    with start_target("--isolated") as target, job(target, words) as agent:
        assert agent.talk(block) == "the target has ended"
        assert agent.last_words() == "The agent has ended: the target has ended."


def test_its_target_has_ended_before_its_session_comes(words: Path) -> None:
    with start_target("--isolated") as target, job(target, words) as agent:
        agent.wait_ready()
        target.kill()
        assert agent.refusal().text == "the target has ended"


@pytest.mark.parametrize("options", [(), ("--target-container", "c" * 64)])
def test_nobody_comes(options: tuple[str, ...], words: Path) -> None:
    target = options or ("--target-self",)
    with start_in_pod(words, *target, options=("--communication-timeout", "1")) as agent:
        said = agent.last_words(69 if options else 0)
    assert said.startswith("The target can't" if options else "The agent has ended: no session has come within 1 s.")


def test_its_port_is_taken(words: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with start_in_pod(words, "--target-self", port=port) as agent:
            said = agent.last_words(69)
            assert said == f"The agent can't listen on port {port} of the loopback: Address already in use."
            assert agent.process.stderr and agent.process.stderr.read().decode() == f"mirrord-agent: {said}\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_before_a_session_came(number: signal.Signals, words: Path) -> None:
    """As a container's first process too, which ignores what it has no handler for."""
    with start_in_pod(words, "--target-self", container_options=("--alone",)) as agent:
        agent.wait_ready()
        agent.process.send_signal(number)
        assert "told to end" in agent.last_words()


def test_told_to_end_with_a_session(shop: agent_kit.Target, words: Path) -> None:
    """What came is the target's again, and the session is told."""

    async def block(client: Client) -> str:
        await client.subscribe(81, SubscribeMode.STEAL, lambda _: None)
        assert "mirrord_81" in pod_kit.rules(shop.pid)
        agent.process.send_signal(signal.SIGTERM)
        return (await client.wait_lost()).text

    with job(shop, words) as agent:
        text = agent.talk(block)
        assert "told to end" in text
        assert agent.last_words() == f"The agent has ended: {text}."
    assert pod_kit.rules(shop.pid) == ""


def test_a_second_agent_is_told_who_holds_a_port(shop: agent_kit.Target, words: Path) -> None:
    async def take(client: Client, other: PodAgent | None) -> str:
        try:
            await client.subscribe(82, SubscribeMode.STEAL, lambda _: None)
        except RemoteError as error:
            return error.failure.text
        assert other
        async with other.session() as second:
            return await take(second, None)

    with ExitStack() as stack:
        first = stack.enter_context(job(shop, words, options=OWNER))
        target = ("--target-pid", str(shop.pid))
        second = stack.enter_context(start_in_pod(words.with_name("others"), *target, container_options=JOB))
        assert "alice on laptop, process 7, since" in first.talk(lambda client: take(client, second))


def test_what_it_says_when_it_is_ready(words: Path) -> None:
    with start_in_pod(words, "--target-self") as agent:
        agent.talk(works)
        assert agent.process.wait(60) == 0
        assert agent.process.stdout
        line = agent.process.stdout.read().decode()
    pid = agent.process.pid
    ready = f'{{"event": "ready", "version": "{__version__}", "pid": {pid}, "target": {pid}, "served": true}}\n'
    assert line == ready
