"""Meets an agent in a cluster as the command line says, and sees that it isn't left there.

The command line creates agents (../../cluster/agents/); what it says is in ../instructions.py, and how long an agent is
tried to be met in machine.py. An agent on this machine is met in ../agent/driver.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import trio

from mirrord_cli.session.clustered.machine import Meeting, Trouble, trouble_of
from mirrord_cli.session.failed import SessionFailed
from mirrord_cli.session.forward.driver import PodPort
from mirrord_cli.session.hello import hello_for, look, refused
from mirrord_cli.session.instructions import Began, Leave, Meet, Runs
from mirrord_cli.session.log import Log
from mirrord_cli.session.reaching.machine import ForwardFailed
from mirrord_cli.session.removing.driver import remove_job
from mirrord_cli.session.settings import EnvironmentRules, Settings
from mirrord_cli.session.status import Unmet
from mirrord_cli.session.telling.driver import Teller
from mirrord_protocol.client import Client, ConnectionLost, RemoteError, open_client
from mirrord_protocol.failure import RemoteProtocolError
from mirrord_protocol.values import Hello

TIDYING = 8.0
"""Seconds that are taken to remove what was begun: nothing waits for it, and an agent ends by itself."""
AGAIN = 2.0
"""Seconds after which a Job that wasn't there is looked for again: its creation may have been on the way."""


class _Left(Exception):
    """The command line wants the agent met no more."""


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
                case Meet(pod=pod):
                    assert began is not None
                    try:
                        async with _meet(began, pod, settings, teller) as client:
                            met = True
                            await serve(client)
                        return
                    except (ForwardFailed, SessionFailed) as error:
                        if teller.closed:
                            raise
                        log("warning", "agent not met", pod=pod, reason=error.text)
                        unreached = isinstance(error, ForwardFailed)
                        await teller.tell(Unmet(error.category, error.text, error.next_step, unreached))
                    except _Left:
                        text = f"The agent in pod {pod} was waited for no more."
                        await teller.tell(Unmet("cluster", text, "Try again."))
                case Runs() | Leave():  # it was told meanwhile that this one can't be met
                    continue
    finally:
        if began is not None:
            with trio.move_on_after(TIDYING) as tidying:
                tidying.shield = True
                await _tidy(began, log, met=met)


@asynccontextmanager
async def _meet(began: Began, pod: str, settings: Settings, teller: Teller) -> AsyncIterator[Client]:
    hello = hello_for(settings.environment, began.token)
    meeting = Meeting(trio.current_time())

    async def pause(seconds: float) -> None:
        with trio.move_on_after(seconds):
            match await teller.hear():
                case Runs(patience=patience):
                    meeting.runs(trio.current_time(), patience)
                case _:  # or the command line is gone
                    raise _Left

    async with _client(began, pod, hello, settings.target.name, look(settings), meeting, pause) as client:
        yield client


@asynccontextmanager
async def _client(
    began: Began,
    pod: str,
    hello: Hello,
    target: str,
    step: str,
    meeting: Meeting,
    pause: Callable[[float], Awaitable[None]],
) -> AsyncIterator[Client]:
    """Yield a client of the agent, which may take a moment until it listens."""
    met = False
    unheard = SessionFailed(
        "cluster",
        f"The agent in pod {pod} doesn't listen on its port {began.port}.",
        f"`kubectl logs -n {began.namespace} {pod}` may tell why.",
    )
    async with PodPort(began.access, began.namespace, pod, began.port) as port:
        while True:
            started = trio.current_time()
            failed: ForwardFailed | SessionFailed = unheard
            trouble = Trouble.UNHEARD
            try:
                async with await port.connect() as stream:
                    if not stream.unheard:
                        async with open_client(stream, hello) as client:
                            met = True
                            yield client
                        return
            except ForwardFailed as error:
                failed, trouble = error, trouble_of(error)
            except RemoteError as error:
                if met:
                    raise
                raise refused(error.failure, target) from None
            except (ConnectionLost, RemoteProtocolError) as error:
                if met:
                    raise
                if not stream.unheard:
                    text = f"The agent in pod {pod} failed before it answered: {stream.reason or error}."
                    failed = SessionFailed("us", text, step)
                    trouble = Trouble.CUT if isinstance(error, ConnectionLost) else Trouble.LASTING
            seconds = meeting.failed(trouble, started, trio.current_time())
            if seconds is None:
                raise failed
            await pause(seconds)


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
    meeting = Meeting(trio.current_time())
    meeting.runs(trio.current_time(), TIDYING)
    async with _client(began, began.pod, hello, began.pod, "", meeting, trio.sleep):
        pass
