"""Subscriptions from the session's side: stolen and mirrored connections, who may have a port, and what is left."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import pytest
import trio

import incoming_kit
from incoming_kit import Caller, Echo, connect, open_session, own_address, peer_address, receive, rules_gone
from mirrord_agent.incoming import driver
from mirrord_agent.incoming.rules.driver import Rules
from mirrord_agent.incoming.rules.machine import refused
from mirrord_protocol.connections import Connection
from mirrord_protocol.failure import RemoteError
from mirrord_protocol.network_values import SubscribeMode
from mirrord_protocol.testing.driver import TOKEN, open_paired
from mirrord_protocol.values import Failure, FailureKind, Hello
from network_kit import everybody, neighbour, ruleset

STEAL, MIRROR = SubscribeMode.STEAL, SubscribeMode.MIRROR


async def is_reset(client: trio.SocketStream) -> bool:
    try:
        return await client.receive_some(1) == b"never"
    except trio.BrokenResourceError as error:
        return isinstance(error.__cause__, ConnectionResetError)


@everybody
def test_stolen(ordinary: bool) -> None:
    async def block() -> None:
        caller = Caller()
        with neighbour() as near:
            async with open_session() as session:
                await session.subscribe(80, STEAL, caller.accept)
                for host, made in (
                    ("127.0.0.1", None), ("::1", None), (near.OURS[0], near.socket()), (near.OURS[1], near.socket(socket.AF_INET6)),
                ):  # fmt: skip
                    client = await connect(host, made=made)
                    connection = await caller.next()
                    assert (connection.peer, connection.local) == (own_address(client), peer_address(client))
                    connection.send(b"220 local\n")
                    assert await receive(client, 10) == b"220 local\n"
                    await client.send_all(b"question")
                    await caller.wait_for(connection, b"question")
                    await client.send_eof()
                    connection.send(b"answer", end=True)
                    assert await receive(client, 6) == b"answer"
                    assert await client.receive_some(1) == b""
                    await connection.wait_over()
                    assert connection.failure is None
            assert ruleset() == ""

    incoming_kit.run(block, ordinary=ordinary)


@everybody
def test_mirrored(ordinary: bool) -> None:
    async def block() -> None:
        caller, echo = Caller(), Echo()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(echo.run)
            with neighbour() as near:
                async with open_session() as session:
                    await session.subscribe(80, MIRROR, caller.accept)
                    for host, made in (("127.0.0.1", None), ("::1", None), (near.OURS[0], near.socket())):
                        client = await connect(host, made=made)
                        assert await receive(client, len(echo.HELLO)) == echo.HELLO  # nobody has asked
                        connection = await caller.next()
                        assert (connection.peer, connection.local) == (own_address(client), peer_address(client))
                        await client.send_all(b"question")
                        assert await receive(client, 8) == b"question"
                        await caller.wait_for(connection, b"question")
                        await client.send_eof()
                        assert await client.receive_some(1) == b""
                        await connection.wait_over()
                        assert connection.failure is None
            nursery.cancel_scope.cancel()

    incoming_kit.run(block, ordinary=ordinary)


def test_a_session_that_reads_no_copies_holds_nobody_up() -> None:
    data = bytes(range(256)) * 4096

    async def block() -> None:
        caller, echo = Caller(), Echo()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(echo.run)
            async with open_session() as session:
                await session.subscribe(80, MIRROR, caller.accept)
                client = await connect("127.0.0.1")
                await receive(client, len(echo.HELLO))
                connection = await caller.next(reads=False)
                async with trio.open_nursery() as both:
                    both.start_soon(client.send_all, data)
                    assert await receive(client, len(data)) == data
                await connection.wait_over()
                assert connection.failure is not None
                assert connection.failure.kind == FailureKind.LIMIT
                await client.send_all(b"more")
                assert await receive(client, 4) == b"more"
                other = await connect("127.0.0.1")  # the next copy is another matter
                connection = await caller.next()
                await other.send_all(b"fresh")
                await caller.wait_for(connection, b"fresh")
            nursery.cancel_scope.cancel()

    incoming_kit.run(block)


@everybody
def test_loopback_may_stay_the_targets(ordinary: bool) -> None:
    async def block() -> None:
        caller, echo = Caller(), Echo()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(echo.run)
            with neighbour() as near:
                async with open_session() as session:
                    await session.subscribe(80, STEAL, caller.accept, loopback=False)
                    for host in ("127.0.0.1", "::1", near.OURS[0]):
                        client = await connect(host)
                        assert await receive(client, len(echo.HELLO)) == echo.HELLO
                    assert caller.nothing_came()
                    client = await connect(near.OURS[0], made=near.socket())
                    assert (await caller.next()).peer == own_address(client)
            nursery.cancel_scope.cancel()

    incoming_kit.run(block, ordinary=ordinary)


@everybody
def test_another_session_has_the_port(ordinary: bool) -> None:
    async def block() -> None:
        caller = Caller()
        async with open_session() as first, open_session("bob on tower, process 8") as second:
            subscription = await first.subscribe(80, STEAL, caller.accept)
            for mode in SubscribeMode:
                with pytest.raises(RemoteError) as caught:
                    await second.subscribe(80, mode, caller.accept)
                assert caught.value.failure.errno == "EADDRINUSE"
                assert "port 80 of the target is held by another session (alice on laptop, process 7, since 2" in str(
                    caught.value
                )
            with pytest.raises(RemoteError) as caught:
                await first.subscribe(80, MIRROR, caller.accept)
            assert caught.value.failure.errno == "EADDRINUSE"
            assert "by this session already" in str(caught.value)
            await second.subscribe(81, STEAL, caller.accept)

            subscription.close()
            await rules_gone("mirrord_80")
            await second.subscribe(80, STEAL, caller.accept)
            client = await connect("127.0.0.1")
            assert (await caller.next()).peer == own_address(client)

    incoming_kit.run(block, ordinary=ordinary)


@pytest.mark.parametrize("mode", SubscribeMode)
def test_unsubscribed_living_connections_go_on_and_new_ones_are_the_targets(mode: SubscribeMode) -> None:
    async def block() -> None:
        caller, echo = Caller(), Echo()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(echo.run)
            async with open_session() as session:
                subscription = await session.subscribe(80, mode, caller.accept)
                client = await connect("127.0.0.1")
                connection = await caller.next()
                subscription.close()
                await rules_gone("mirrord_80")
                other = await connect("127.0.0.1")
                assert await receive(other, len(echo.HELLO)) == echo.HELLO
                assert echo.peers[-1][1] == own_address(other).port
                for _ in range(50):
                    await client.send_all(b"x")
                    await trio.sleep(0.0005)
                await caller.wait_for(connection, b"x" * 50)
                if mode == STEAL:
                    connection.send(b"still here", end=True)
                    assert await receive(client, 10) == b"still here"
                assert "mirrord_agent_" in ruleset()
                await client.aclose()
                await connection.wait_over()
                await rules_gone("mirrord")
            nursery.cancel_scope.cancel()

    incoming_kit.run(block)


def test_what_the_session_does_to_a_connection_its_client_sees() -> None:
    async def block() -> None:
        caller = Caller()
        async with open_session() as session:
            await session.subscribe(80, STEAL, caller.accept)
            for failure in (Failure(FailureKind.SYSTEM, "ECONNREFUSED"), Failure(FailureKind.SYSTEM, "ECONNRESET")):
                client = await connect("127.0.0.1")
                (await caller.next()).reset(failure)
                assert await is_reset(client)
            clients = [await connect("127.0.0.1") for _ in range(3)]
            for _ in clients:
                await caller.next()
        for client in clients:  # the session is gone
            assert await is_reset(client)

    incoming_kit.run(block)


def test_a_target_that_does_not_listen() -> None:
    async def block() -> None:
        caller = Caller()
        async with open_session() as session:
            await session.subscribe(80, MIRROR, caller.accept)
            assert await is_reset(await connect("127.0.0.1"))
            assert caller.nothing_came()

    incoming_kit.run(block)


@everybody
@pytest.mark.parametrize("reset", [True, False])
def test_connections_established_before(ordinary: bool, reset: bool) -> None:
    async def block() -> None:
        caller, echo = Caller(), Echo()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(echo.run)
            with neighbour() as near:
                old = [
                    await connect(near.OURS[0], made=near.socket()),
                    await connect("127.0.0.1"),
                    await connect(near.OURS[1], made=near.socket(socket.AF_INET6)),
                ]
                for client in old:
                    await receive(client, len(echo.HELLO))
                async with open_session() as session:
                    await session.subscribe(80, STEAL, caller.accept, reset=reset)
                    new = await connect(near.OURS[0], made=near.socket())
                    assert (await caller.next()).peer == own_address(new)
                    for client in old:
                        if reset:
                            assert await is_reset(client)
                        else:
                            await client.send_all(b"as before")
                            assert await receive(client, 9) == b"as before"
                    assert caller.nothing_came()
            nursery.cancel_scope.cancel()

    incoming_kit.run(block, ordinary=ordinary)


@pytest.mark.parametrize("mode", SubscribeMode)
def test_two_hundred_at_once(mode: SubscribeMode) -> None:
    async def talk(client: trio.SocketStream, said: bytes, hello: int) -> None:
        await client.send_all(said)
        assert (await receive(client, hello + len(said)))[hello:] == said
        await client.aclose()

    async def block() -> None:
        caller, echo = Caller(), Echo()

        def give_back(connection: Connection) -> None:
            def sink(chunks: Sequence[bytes | memoryview], end: bool) -> None:
                connection.send(b"".join(chunks), end=end)

            connection.pour_into(sink)

        async def answer() -> None:
            for _ in range(200):
                connection = await caller.next(reads=mode == MIRROR)
                if mode == STEAL:
                    give_back(connection)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(echo.run)
            async with open_session() as session, trio.open_nursery() as clients:
                await session.subscribe(80, mode, caller.accept)
                clients.start_soon(answer)
                for number in range(200):
                    client = await connect("127.0.0.1")
                    clients.start_soon(talk, client, b"%d" % number * 50, 0 if mode == STEAL else len(echo.HELLO))
            nursery.cancel_scope.cancel()

    incoming_kit.run(block)


def test_a_subscription_that_fails_half_way_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise refused("Error: Could not process rule: No buffer space available")

    monkeypatch.setattr(Rules, "_fill", refuse)

    async def block() -> None:
        async with open_session() as session:
            with pytest.raises(RemoteError) as caught:
                await session.subscribe(80, STEAL, Caller().accept)
            assert caught.value.failure.errno == "ENOBUFS"
            assert ruleset() == ""

    incoming_kit.run(block)


def test_no_port_and_no_rights(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = Failure(FailureKind.FORBIDDEN, None, "not here")

    async def block() -> None:
        async with open_session() as session:
            with pytest.raises(RemoteError) as caught:
                await session.subscribe(0, STEAL, Caller().accept)
            assert caught.value.failure.errno == "EINVAL"
        monkeypatch.setattr(Rules, "_open", lambda self: lacking)
        async with open_session() as session:
            with pytest.raises(RemoteError) as caught:
                await session.subscribe(80, STEAL, Caller().accept)
            assert caught.value.failure == lacking

    incoming_kit.run(block)


def test_what_is_under_way_when_the_session_ends_gets_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "FAREWELL", 0.3)

    async def block() -> None:
        with socket.create_server(("127.0.0.1", 80)) as server:  # answers nothing
            async with trio.open_nursery() as nursery:
                incoming = driver.Incoming(nursery, incoming_kit.LOG, "test")
                async with open_paired(incoming_kit.PortService(incoming), Hello(TOKEN)) as session:
                    caller = Caller()
                    await session.subscribe(80, MIRROR, caller.accept)
                    idle, asking = await connect("127.0.0.1"), await connect("127.0.0.1")
                    copies = {each.peer: each for each in [await caller.next(), await caller.next()]}
                    kept = [server.accept()[0], server.accept()[0]]
                    await asking.send_all(b"question")
                    await caller.wait_for(copies[own_address(asking)], b"question")
                before = trio.current_time()
                await incoming.leave()
                assert trio.current_time() - before >= 0.3
                assert await idle.receive_some(1) == b""
                nursery.cancel_scope.cancel()
            assert await is_reset(asking)
            incoming.close()
            assert ruleset() == ""
            for each in kept:
                each.close()

    incoming_kit.run(block)
