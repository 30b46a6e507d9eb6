"""Subscriptions as both ends use them: what comes, what is given up, who ends them."""

from __future__ import annotations

import trio
import trio.testing

from mirrord_protocol.connections import RESET
from mirrord_protocol.network_values import SubscribeMode
from protocol_network import Accepted, loopback, network, stolen
from protocol_samples import FAILURE


def test_a_closed_subscription_brings_nothing_more() -> None:
    async def run() -> None:
        async with network() as (client, service, _):
            accepted = Accepted()
            subscription = await client.subscribe(80, SubscribeMode.STEAL, accepted)
            here, there = await stolen(service, accepted)
            crossing = service.subscribed[0].incoming(loopback(6), loopback(80))
            subscription.close()
            subscription.close()
            await subscription.wait_over()
            await crossing.wait_over()
            assert (crossing.failure is not None, subscription.failure) == (True, None)
            late = service.subscribed[0].incoming(loopback(7), loopback(80))
            assert (late.over, late.failure, late.room()) == (True, RESET, 0)
            came: list[bytes] = []
            there.pour_into(lambda chunks, _: came.extend(map(bytes, chunks)))
            here.send(b"lives on")
            while not came:
                await trio.testing.wait_all_tasks_blocked(0.001)
            assert came == [b"lives on"]

    trio.run(run)


def test_a_port_that_was_given_up_just_now_can_be_had_again() -> None:
    """Close and request come at once, and tasks run in any order: 20 times, so that it isn't by chance."""

    async def run() -> None:
        async with network() as (client, service, _):
            for _ in range(20):
                subscription = await client.subscribe(80, SubscribeMode.STEAL, Accepted())
                subscription.close()
            assert service.log == ["begin 80", "end 80"] * 19 + ["begin 80"]

    trio.run(run)


def test_all_who_wait_for_a_subscriptions_end_are_told() -> None:
    async def run() -> None:
        async with network() as (client, service, _):
            subscription = await client.subscribe(80, SubscribeMode.STEAL, Accepted())
            async with trio.open_nursery() as waiters:
                for _ in range(3):
                    waiters.start_soon(subscription.wait_over)
                await trio.testing.wait_all_tasks_blocked()
                service.subscribed[0].fail(FAILURE)
            assert subscription.failure == FAILURE

    trio.run(run)


def test_a_subscription_that_the_agent_ends() -> None:
    async def run() -> None:
        async with network() as (client, service, _):
            subscription = await client.subscribe(80, SubscribeMode.STEAL, Accepted())
            service.subscribed[0].fail(FAILURE)
            await subscription.wait_over()
            assert subscription.failure == FAILURE
            subscription.close()

    trio.run(run)
