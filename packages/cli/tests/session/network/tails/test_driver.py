"""Waiting for connections to end: all of them, but not for ever."""

from __future__ import annotations

import trio
import trio.testing

from mirrord_cli.session.network.tails.driver import FAREWELL, Tails


async def carry(tails: Tails, seconds: float) -> None:
    with tails:
        await trio.sleep(seconds)


def test_the_last_one_is_waited_for_but_not_for_ever() -> None:
    async def run() -> None:
        tails = Tails()
        for longest, expected in ((0.0, 0.0), (1.0, 1.0), (100.0, FAREWELL), (2.0, 2.0)):
            async with trio.open_nursery() as nursery:
                for seconds in (longest / 2, longest) if longest else ():
                    nursery.start_soon(carry, tails, seconds)
                await trio.testing.wait_all_tasks_blocked()
                before = trio.current_time()
                await tails.leave()
                assert trio.current_time() - before == expected
                nursery.cancel_scope.cancel()

    trio.run(run, clock=trio.testing.MockClock(autojump_threshold=0))
