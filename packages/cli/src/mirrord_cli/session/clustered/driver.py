"""Meets an agent in a cluster as the command line says, and sees that it isn't left there.

The command line creates agents (../../cluster/agents/); what it says is in ../instructions.py. An agent on this machine
is met in ../agent/driver.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import trio

from mirrord_cli.session.failed import SessionFailed
from mirrord_cli.session.forward.driver import open_forward
from mirrord_cli.session.hello import hello_for, look, refused
from mirrord_cli.session.instructions import Began, Meet
from mirrord_cli.session.log import Log
from mirrord_cli.session.reaching.machine import ForwardFailed
from mirrord_cli.session.removing.driver import remove_job
from mirrord_cli.session.settings import EnvironmentRules, Settings
from mirrord_cli.session.status import Progress, Unmet
from mirrord_cli.session.telling.driver import Teller
from mirrord_protocol.client import Client, ConnectionLost, RemoteError, open_client
from mirrord_protocol.failure import RemoteProtocolError
from mirrord_protocol.values import Hello

FIRST_PAUSE, LAST_PAUSE = 0.02, 0.3
"""Seconds between attempts to reach an agent that doesn't listen yet."""
TIDYING = 8.0
"""Seconds that are taken to remove what was begun: nothing waits for it, and an agent ends by itself."""
AGAIN = 2.0
"""Seconds after which a Job that wasn't there is looked for again: its creation may have been on the way."""


async def serve_in_cluster(
    settings: Settings, teller: Teller, log: Log, serve: Callable[[Client], Awaitable[None]]
) -> None:
    """Meet the agents that the command line names until one can be served by, then serve.

    Raises:
        ExceptionGroup, SessionFailed: What `serve` raises once the session was ready.
    """
    began: Began | None = None
    met = False
    try:
        while True:
            match await teller.hear():
                case None:
                    return
                case Began() as began:
                    met = False
                case Meet() as meet:
                    assert began is not None
                    try:
                        await teller.tell(Progress("connecting to the agent"))
                        async with _meet(began, meet, settings) as client:
                            met = True
                            await serve(client)
                        return
                    except (ForwardFailed, SessionFailed) as error:
                        if teller.closed:
                            raise
                        log("warning", "agent not met", pod=meet.pod, reason=error.text)
                        unreached = isinstance(error, ForwardFailed)
                        await teller.tell(Unmet(error.category, error.text, error.next_step, unreached))
    finally:
        if began is not None:
            with trio.move_on_after(TIDYING) as tidying:
                tidying.shield = True
                await _tidy(began, log, met=met)


@asynccontextmanager
async def _meet(began: Began, meet: Meet, settings: Settings) -> AsyncIterator[Client]:
    async with _client(
        began, meet, hello_for(settings.environment, began.token), settings.target.name, look(settings)
    ) as client:
        yield client


@asynccontextmanager
async def _client(began: Began, meet: Meet, hello: Hello, target: str, step: str) -> AsyncIterator[Client]:
    """Yield a client of the agent, which may take a moment until it listens."""
    deadline, pause = trio.current_time() + meet.patience, FIRST_PAUSE
    met = False
    while True:
        try:
            async with open_forward(began.access, began.namespace, meet.pod, began.port) as stream:
                async with open_client(stream, hello) as client:
                    met = True
                    yield client
                return
        except RemoteError as error:
            if met:
                raise
            raise refused(error.failure, target) from None
        except (ConnectionLost, RemoteProtocolError) as error:
            if met:
                raise
            if not stream.unheard:
                text = f"The agent in pod {meet.pod} failed before it answered: {stream.reason or error}."
                raise SessionFailed("us", text, step) from None
        if trio.current_time() + pause > deadline:
            text = f"The agent in pod {meet.pod} doesn't listen on its port {began.port}."
            raise SessionFailed("cluster", text, f"`kubectl logs -n {began.namespace} {meet.pod}` may tell why.")
        await trio.sleep(pause)
        pause = min(pause * 2, LAST_PAUSE)


async def _tidy(began: Began, log: Log, *, met: bool) -> None:
    """Remove what was begun: the Job, or an ephemeral agent that nobody met."""
    try:
        if began.job and not await remove_job(began.access, began.namespace, began.job) and not met:
            await trio.sleep(AGAIN)
            await remove_job(began.access, began.namespace, began.job)
        if began.pod and not met:
            await _dismiss(began)
    except (ForwardFailed, SessionFailed) as error:
        log("warning", "agent not removed", job=began.job, pod=began.pod, reason=str(error))


async def _dismiss(began: Began) -> None:
    """Meet an agent in order to end it: an ephemeral container can't be removed, but ends with its session."""
    hello = hello_for(EnvironmentRules(wanted=False), began.token)
    async with _client(began, Meet(pod=began.pod, patience=TIDYING), hello, began.pod, ""):
        pass
