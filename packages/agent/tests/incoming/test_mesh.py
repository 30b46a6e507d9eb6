"""A target in a service mesh: its proxy's rules are played by nft's, as iptables-nft would make them. For root alone,
since the proxy is told by its user.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Awaitable, Callable

import pytest
import trio

import incoming_kit
from agent_kit import needs_root
from incoming_kit import Caller, Echo, connect, open_session, own_address, receive
from mirrord_protocol.client import Client
from mirrord_protocol.network_values import SubscribeMode
from network_kit import Neighbour, neighbour, nft

PROXY = 1337
INBOUND = 15006
ISTIO = f"""
table ip nat {{
    chain ISTIO_IN_REDIRECT {{ tcp dport 1-65535 redirect to :{INBOUND}; }}
    chain ISTIO_INBOUND {{ tcp dport 15008 return; meta l4proto tcp jump ISTIO_IN_REDIRECT; }}
    chain PREROUTING {{ type nat hook prerouting priority -100; meta l4proto tcp jump ISTIO_INBOUND; }}
    chain ISTIO_OUTPUT {{
        ip saddr 127.0.0.6 oifname lo return
        ip daddr != 127.0.0.1 oifname lo meta skuid {PROXY} meta l4proto tcp jump ISTIO_IN_REDIRECT
        oifname lo meta skuid != {PROXY} return
        meta skuid {PROXY} return
        ip daddr 127.0.0.1 return
    }}
    chain OUTPUT {{ type nat hook output priority -100; meta l4proto tcp jump ISTIO_OUTPUT; }}
}}
"""
pytestmark = needs_root


def proxys_socket() -> socket.socket:
    """A socket of the proxy's user."""
    os.seteuid(PROXY)
    try:
        return socket.socket()
    finally:
        os.seteuid(0)


def in_mesh(block: Callable[[Client, Neighbour, Caller, Echo], Awaitable[None]], *, loopback: bool) -> None:
    """Run a block where port 80 is stolen from a target with a proxy."""

    async def within() -> None:
        nft(ISTIO)
        caller, target, proxy = Caller(), Echo(80), Echo(INBOUND)
        proxy.HELLO = b"proxy"
        with neighbour() as near:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(target.run)
                nursery.start_soon(proxy.run)
                async with open_session() as session:
                    await session.subscribe(80, SubscribeMode.STEAL, caller.accept, loopback=loopback)
                    await block(session, near, caller, proxy)
                nursery.cancel_scope.cancel()

    incoming_kit.run(within, ordinary=False)


@pytest.mark.parametrize("loopback", [True, False])
def test_what_the_proxy_has_decrypted_is_stolen_and_not_what_it_gets(loopback: bool) -> None:
    async def block(session: Client, near: Neighbour, caller: Caller, proxy: Echo) -> None:
        outside = await connect(near.OURS[0], made=near.socket())
        assert await receive(outside, 5) == b"proxy"
        assert caller.nothing_came()

        plain = await connect("127.0.0.1", made=proxys_socket())
        assert (await caller.next()).peer == own_address(plain)

    in_mesh(block, loopback=loopback)


@pytest.mark.parametrize("loopback", [True, False])
def test_a_port_that_the_mesh_leaves_alone_is_stolen_from_outside(loopback: bool) -> None:
    async def block(session: Client, near: Neighbour, caller: Caller, proxy: Echo) -> None:
        await session.subscribe(15008, SubscribeMode.STEAL, caller.accept, loopback=loopback)
        outside = await connect(near.OURS[0], 15008, near.socket())
        assert (await caller.next()).peer == own_address(outside)

    in_mesh(block, loopback=loopback)


def test_the_proxy_as_a_client_of_its_own_target_comes_in_like_others() -> None:
    """A service that calls itself: what leaves the proxy is encrypted, and must reach the proxy again."""

    async def block(session: Client, near: Neighbour, caller: Caller, proxy: Echo) -> None:
        itself = await connect(near.OURS[0], made=proxys_socket())
        assert await receive(itself, 5) == b"proxy"
        assert caller.nothing_came()

    in_mesh(block, loopback=True)


@pytest.mark.parametrize("loopback", [True, False])
def test_the_targets_own_connections_over_loopback(loopback: bool) -> None:
    async def block(session: Client, near: Neighbour, caller: Caller, proxy: Echo) -> None:
        own = await connect("127.0.0.1")
        if loopback:
            assert (await caller.next()).peer == own_address(own)
        else:
            assert await receive(own, len(Echo.HELLO)) == Echo.HELLO

    in_mesh(block, loopback=loopback)
