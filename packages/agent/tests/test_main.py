"""The agent as a program, over a real socket: start, targets that can't be served, garbage, and every kind of end."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio

import agent_kit
from agent_kit import client_of, content, failing, play, refusal, start_agent, start_target, talk
from mirrord_agent import __version__
from mirrord_protocol.client import Client, ConnectionLost, RemoteError
from mirrord_protocol.values import FailureKind, Hello

ARGUMENTS = ["--target-pid", "1", "--target-start", "1", "--token-digest", "00" * 32]


def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mirrord_agent", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **options)  # type: ignore[call-overload,no-any-return]


def test_version_and_help() -> None:
    assert run("--version").stdout == f"mirrord-agent {__version__}\n"
    shown = run("--help")
    assert shown.returncode == 0
    for option in ("--target-pid", "--target-start", "--connected-fd", "--token-digest", "--log-level"):
        assert option in shown.stdout


def test_a_command_line_that_makes_no_sense() -> None:
    done = run()
    assert (done.returncode, done.stdout) == (2, "")
    assert "--target-pid" in done.stderr


@pytest.mark.parametrize("kind", ["closed", "file", "datagram", "unconnected", "internet"])
def test_a_descriptor_that_is_no_connection(kind: str, tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        fd = 77
        if kind == "file":
            fd = stack.enter_context((tmp_path / "file").open("wb")).fileno()
        elif kind == "datagram":
            one, other = socket.socketpair(type=socket.SOCK_DGRAM)
            fd = stack.enter_context(one).fileno()
            stack.enter_context(other)
        elif kind != "closed":
            family = socket.AF_UNIX if kind == "unconnected" else socket.AF_INET
            fd = stack.enter_context(socket.socket(family)).fileno()
        done = run(*ARGUMENTS, "--connected-fd", str(fd), pass_fds=[fd] if kind != "closed" else [])

    assert (done.returncode, done.stdout) == (2, "")
    assert "no connected Unix stream socket" in done.stderr
    assert "Traceback" not in done.stderr


def test_ready_line_environment_and_log(target: agent_kit.Target) -> None:
    async def block(client: Client) -> None:
        assert dict(client.welcome.environment) == {b"SHOP": b"Pears & Sons", b"LINES": b"one\ntwo", b"EMPTY": b""}
        seen = client.welcome.target
        assert (seen.pid, seen.name[:6], seen.working_directory) == (target.pid, b"python", b"/srv")

    with start_agent(target.pid) as agent:
        assert agent.ready == {
            "event": "ready", "version": __version__, "pid": agent.process.pid, "target": target.pid, "served": True,
        }  # fmt: skip
        talk(agent, block)
        assert agent.process.wait(30) == 0

    assert [(line["event"], line["level"]) for line in agent.log] == [("the session has ended", "info")]
    assert "Pears" not in str(agent.log)
    assert agent.token.hex() not in str(agent.log)


def test_environment_as_asked_for(target: agent_kit.Target) -> None:
    async def names(client: Client) -> set[bytes]:
        return {name for name, _ in client.welcome.environment}

    for include, exclude, environment, expected in (
        ((b"*",), (b"S*",), True, {b"LINES", b"EMPTY"}),
        ((b"?HOP", b"LD_*"), (), True, {b"SHOP"}),
        ((), (), False, set()),
    ):
        with start_agent(target.pid) as agent:
            hello = Hello(agent.token, environment=environment, include=include, exclude=exclude)
            assert talk(agent, names, hello) == expected


def test_large_environments() -> None:
    """All that fits into a message comes; more is refused with a way out."""

    async def size(client: Client) -> int:
        return sum(len(value) for _, value in client.welcome.environment)

    big = {f"VARIABLE_{number}": "x" * 100_000 for number in range(9)}
    with start_target(environment=big) as target:
        assert play(target, size) == 900_000
    with start_target(environment=big | {"MORE_1": "y" * 100_000, "MORE_2": "z" * 100_000}) as target:
        with start_agent(target.pid) as agent:
            failure = refusal(agent)
            assert failure.kind == FailureKind.LIMIT
            assert "leave variables out" in failure.text
            assert agent.process.wait(30) == 0
        with start_agent(target.pid) as agent:
            assert talk(agent, size, Hello(agent.token, exclude=(b"MORE_*",))) == 900_000


# ---------------------------------------------------------------------------------------------- targets


def test_a_reused_pid(target: agent_kit.Target) -> None:
    with start_agent(target.pid, target.start - 1) as agent:
        assert agent.ready["served"] is False
        failure = refusal(agent)
        assert agent.process.wait(30) == 0

    assert failure.kind == FailureKind.GONE
    assert "another" in failure.text
    assert agent.log[0]["level"] == "warning"


def test_a_target_that_is_gone(own_target: agent_kit.Target) -> None:
    start = own_target.start
    own_target.kill()
    with start_agent(own_target.pid, start) as agent:
        failure = refusal(agent)

    assert failure.kind == FailureKind.GONE
    assert str(own_target.pid) in failure.text


def test_a_refused_target_tells_only_who_knows_the_token(own_target: agent_kit.Target) -> None:
    with start_agent(own_target.pid, own_target.start + 1) as agent:
        failure = refusal(agent, Hello(b"guess" * 6 + b"xx"))

    assert failure.kind == FailureKind.FORBIDDEN
    assert "token" in failure.text


def test_a_kernel_thread() -> None:
    threads = [
        int(name) for name in os.listdir("/proc") if name.isdecimal() and not os.path.exists(f"/proc/{name}/exe")
    ]
    if not threads:
        pytest.skip("no kernel threads are visible here")
    with start_agent(threads[0]) as agent:
        assert refusal(agent).kind in {FailureKind.UNSUPPORTED, FailureKind.FORBIDDEN, FailureKind.GONE}


async def until_lost(client: Client) -> tuple[FailureKind, str]:
    failure = await client.wait_lost()
    return failure.kind, failure.text


def test_a_target_that_ends_ends_the_session(own_target: agent_kit.Target) -> None:
    async def block(client: Client) -> tuple[FailureKind, str]:
        await client.stat(b"/srv")
        own_target.kill()
        return await until_lost(client)

    with start_agent(own_target.pid) as agent:
        assert talk(agent, block) == (FailureKind.GONE, "the target has ended")
        assert agent.process.wait(30) == 0


def test_a_target_killed_in_mid_read(own_target: agent_kit.Target) -> None:
    own_target.write("/srv/huge", bytes(64 << 20))

    async def block(client: Client) -> None:
        file = await client.open(b"/srv/huge")
        reads = [file.read(at, 1 << 20) for at in range(0, 64 << 20, 1 << 20)]
        await reads[0].receive_all()
        own_target.kill()
        with pytest.raises(ConnectionLost, match="the target has ended"):
            for read in reads[1:]:
                await read.receive_all()
            await client.stat(b"/srv")  # all had come already

    with start_agent(own_target.pid) as agent:
        talk(agent, block)


def test_nothing_is_told_to_be_missing_because_the_target_ended() -> None:
    """A process that ends takes its mounts along before it is gone: what isn't found then says nothing."""

    async def block(client: Client) -> set[str]:
        seen: set[str] = set()
        os.kill(target.pid, 9)
        while True:
            try:
                await client.stat(b"/srv/file")
            except ConnectionLost:
                return seen
            except RemoteError as error:
                seen.add(error.failure.errno or error.failure.kind.name)

    for _ in range(2):
        with start_target(*agent_kit.isolated()) as target:
            target.write("/srv/file")
            assert play(target, block) <= {"GONE"}


# ---------------------------------------------------------------------------------------------- sessions


def test_an_agent_killed(target: agent_kit.Target) -> None:
    async def run_block(agent: agent_kit.Agent) -> None:
        with trio.fail_after(30):
            async with client_of(agent) as client:
                await client.stat(b"/srv")
                agent.process.kill()
                assert (await client.wait_lost()).kind == FailureKind.GONE
                with pytest.raises(ConnectionLost):
                    await client.stat(b"/srv")

    with start_agent(target.pid) as agent:
        trio.run(run_block, agent)


def test_a_session_that_vanishes_ends_the_agent(target: agent_kit.Target) -> None:
    with start_agent(target.pid) as agent:
        agent.socket.close()
        assert agent.process.wait(30) == 0


def test_a_session_killed_in_the_middle_of_much(target: agent_kit.Target) -> None:
    target.write("/srv/large", bytes(8 << 20))

    async def block(client: Client) -> None:
        file = await client.open(b"/srv/large")
        for at in range(0, 8 << 20, 1 << 20):
            file.read(at, 1 << 20)
        agent.socket.shutdown(socket.SHUT_RDWR)
        await client.wait_lost()

    with start_agent(target.pid) as agent:
        talk(agent, block)
        assert agent.process.wait(30) == 0


@pytest.mark.parametrize("size", [1, 4096])
def test_garbage_instead_of_hello(target: agent_kit.Target, size: int) -> None:
    """Whatever bytes come, the agent ends in order, at once, and logs no defect."""
    with start_agent(target.pid) as agent:
        agent.socket.settimeout(30)
        agent.socket.sendall(random.Random(7).randbytes(size))
        agent.socket.shutdown(socket.SHUT_WR)
        while agent.socket.recv(4096):
            pass
        assert agent.process.wait(30) == 0
    assert not [line for line in agent.log if line["level"] == "error"]


@pytest.mark.parametrize("size", [31, 100_000])
def test_garbage_after_hello(target: agent_kit.Target, size: int) -> None:
    async def block(client: Client) -> None:
        await client.stat(b"/srv")
        with contextlib.suppress(BrokenPipeError, BlockingIOError, ConnectionResetError):  # it has enough of it
            agent.socket.send(random.Random(7).randbytes(size))
        assert (await client.wait_lost()).kind in {FailureKind.PROTOCOL, FailureKind.GONE}

    with start_agent(target.pid) as agent:
        talk(agent, block)
        assert agent.process.wait(30) == 0
    assert not [line for line in agent.log if line["level"] == "error"]


def test_nothing_is_said_before_the_token(target: agent_kit.Target) -> None:
    with start_agent(target.pid) as agent:
        agent.socket.sendall(bytes(16))
        agent.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            agent.socket.recv(1)


def test_the_digest_is_no_token(target: agent_kit.Target) -> None:
    with start_agent(target.pid) as agent:
        failure = refusal(agent, Hello(hashlib.sha256(agent.token).digest()))
    assert failure.kind == FailureKind.FORBIDDEN


def test_many_agents_for_one_target(target: agent_kit.Target) -> None:
    async def block(client: Client) -> bytes:
        return await content(client, b"/srv/small.txt")

    with start_agent(target.pid) as one, start_agent(target.pid) as other:
        assert talk(one, block) == talk(other, block) == b"small\n"


# ---------------------------------------------------------------------------------------------- /proc


def test_self_is_the_target(target: agent_kit.Target) -> None:
    if not os.path.lexists(target.path("/proc/self")):
        pytest.skip("this machine gives no new /proc to a namespace")
    inside = b"1"

    async def block(client: Client) -> None:
        assert await client.readlink(b"/proc/self") == inside
        assert await client.realpath(b"/proc/self/") == b"/proc/1"
        status = await client.open(b"/proc/self/status")
        assert b"\nNSpid:\t1\n" in await status.read(0, 4096).receive_all()
        assert b"SHOP=Pears" in await (await client.open(b"/proc/1/environ")).read(0, 4096).receive_all()
        assert await client.readlink(b"/proc/self/cwd") == b"/srv"
        assert await client.realpath(b"/proc/self/cwd/small.txt") == b"/srv/small.txt"
        assert await content(client, b"/proc/self/root/srv/small.txt") == b"small\n"
        assert await failing(client.open(b"/proc/self/exe")) == "ENOENT"  # it has no such file in its root
        listed = {entry.name for entry in await agent_kit.entries(client, b"/proc/self/")}
        assert {b".", b"..", b"status", b"fd"} <= listed

    play(target, block)


CALLS: list[Callable[[Client], Awaitable[object]]] = [
    lambda client: client.stat(b"/srv/nothing"),
    lambda client: client.open(b"/srv/nothing"),
    lambda client: client.list(b"/srv/nothing"),
    lambda client: client.readlink(b"/srv/nothing"),
    lambda client: client.realpath(b"/srv/nothing"),
    lambda client: client.file_system(b"/srv/nothing"),
]


def test_what_is_not_there(target: agent_kit.Target) -> None:
    async def block(client: Client) -> None:
        for call in CALLS:
            assert await failing(call(client)) == "ENOENT"

    play(target, block)
