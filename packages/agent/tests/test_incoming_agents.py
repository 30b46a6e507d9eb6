"""Real agents with subscriptions: whose they are, and what is left when agent, session or target are killed.

They are forked from the test, as the machine's interpreter can't always be started by an ordinary user.
"""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import trio

import agent_kit
import mirrord_agent.__main__ as agent_program
import mirrord_agent.life.driver
import mirrord_agent.server
from incoming_kit import Caller, connect, receive
from mirrord_protocol.client import Client, open_client
from mirrord_protocol.failure import RemoteError
from mirrord_protocol.network_values import SubscribeMode
from mirrord_protocol.values import Capability, Hello
from network_kit import everybody, fork, in_child, kill, play, ruleset

TOKEN = bytes(range(32))
STEAL, MIRROR = SubscribeMode.STEAL, SubscribeMode.MIRROR


def start_target() -> int:
    """A process that says back what it hears on port 80."""

    def serve() -> socket.socket:
        server = socket.create_server(("127.0.0.1", 80), backlog=512)
        threading.Thread(target=accept, args=(server,), daemon=True).start()
        return server

    def accept(server: socket.socket) -> None:
        while True:
            threading.Thread(target=echo, args=(server.accept()[0],), daemon=True).start()

    def echo(made: socket.socket) -> None:
        while data := made.recv(1 << 16):
            made.sendall(data)

    return in_child(serve)


def start_agent(target: int) -> tuple[int, socket.socket]:
    """An agent for a process, and the session's end of its socket."""
    ours, its = socket.socketpair()

    def run() -> None:
        ours.close()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        arguments = ["--target-pid", str(target), "--target-start", str(agent_kit.start_of(target))]
        arguments += ["--connected-fd", str(its.fileno()), "--token-digest", hashlib.sha256(TOKEN).hexdigest()]
        mirrord_agent.server.load_names()
        agent_program.main([*arguments, "--log-level", "error"])

    child = fork(run)
    its.close()
    return child, ours


@asynccontextmanager
async def session_of(ours: socket.socket) -> AsyncIterator[Client]:
    async with open_client(trio.SocketStream(trio.socket.from_stdlib_socket(ours)), Hello(TOKEN)) as client:
        yield client


@dataclass
class Scene:
    """A target and two agents for it, each with its session's end of a socket."""

    target: int
    agents: list[tuple[int, socket.socket]]

    @property
    def agent(self) -> int:
        return self.agents[0][0]

    @property
    def socket(self) -> socket.socket:
        return self.agents[0][1]

    async def ended(self, child: int) -> None:
        """Return when a child has ended."""
        await trio.to_thread.run_sync(os.waitid, os.P_PID, child, os.WEXITED | os.WNOWAIT)


def run(block: Callable[[Scene], Awaitable[None]], *, ordinary: bool = True) -> None:
    """Run a block with a target and agents for it, in namespaces of its own."""

    def outside() -> None:
        target = start_target()
        scene = Scene(target, [start_agent(target), start_agent(target)])

        async def inside() -> None:
            with trio.fail_after(20):
                await block(scene)

        trio.run(inside)
        for child, _ in scene.agents:
            kill(child)
        kill(target)

    play(outside, ordinary=ordinary)


async def is_reset(client: trio.SocketStream) -> bool:
    try:
        return await client.receive_some(1) == b"never"
    except trio.BrokenResourceError as error:
        return isinstance(error.__cause__, ConnectionResetError)


async def target_answers() -> bool:
    client = await connect("127.0.0.1")
    await client.send_all(b"there?")
    return await receive(client, 6) == b"there?"


@everybody
def test_a_port_says_whose_it_is(ordinary: bool) -> None:
    async def block(scene: Scene) -> None:
        async with session_of(scene.socket) as session, session_of(scene.agents[1][1]) as other:
            assert session.welcome.capabilities & Capability.INCOMING
            assert session.welcome.lacking == ()
            await session.subscribe(80, STEAL, Caller().accept)
            with pytest.raises(RemoteError) as caught:
                await other.subscribe(80, MIRROR, Caller().accept)
        assert f" on {os.uname().nodename[:40]}, process {os.getpid()}, since 2" in str(caught.value)

    run(block, ordinary=ordinary)


@everybody
@pytest.mark.parametrize("mode", SubscribeMode)
def test_the_agent_is_killed(ordinary: bool, mode: SubscribeMode) -> None:
    async def block(scene: Scene) -> None:
        caller = Caller()
        async with session_of(scene.socket) as session:
            await session.subscribe(80, mode, caller.accept)
            clients = [await connect("127.0.0.1") for _ in range(20)]
            connections = [await caller.next() for _ in clients]
            os.kill(scene.agent, 9)
            await scene.ended(scene.agent)
            assert ruleset() == ""
            for client in clients:
                assert await is_reset(client)
            assert await target_answers()
            for connection in connections:
                await connection.wait_over()
                assert connection.failure is not None

    run(block, ordinary=ordinary)


@everybody
@pytest.mark.parametrize("mode", SubscribeMode)
def test_the_session_is_gone(ordinary: bool, mode: SubscribeMode) -> None:
    async def block(scene: Scene) -> None:
        caller = Caller()
        async with session_of(scene.socket) as session:
            await session.subscribe(80, mode, caller.accept)
            clients = [await connect("127.0.0.1") for _ in range(20)]
            for _ in clients:
                await caller.next()
            scene.socket.shutdown(socket.SHUT_RDWR)
            with trio.fail_after(5):
                for client in clients:
                    if mode == STEAL:
                        assert await is_reset(client)
                    else:  # between the target and them nothing was on its way
                        assert await client.receive_some(1) == b""
                await scene.ended(scene.agent)
            assert ruleset() == ""
            assert await target_answers()

    run(block, ordinary=ordinary)


def test_the_target_is_gone() -> None:
    async def block(scene: Scene) -> None:
        caller = Caller()
        async with session_of(scene.socket) as session:
            await session.subscribe(80, STEAL, caller.accept)
            client = await connect("127.0.0.1")
            await caller.next()
            os.kill(scene.target, 9)
            assert await is_reset(client)
            await session.wait_lost()
            await scene.ended(scene.agent)
            assert ruleset() == ""

    run(block)
