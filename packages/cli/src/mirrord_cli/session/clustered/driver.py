"""Meets an agent in a cluster as the command line says, and sees that it isn't left there.

The command line creates agents (../../cluster/agents/); what it says is in ../instructions.py, and how long an agent is
tried to be met in machine.py. An agent on this machine is met in ../agent/driver.py.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import trio

from mirrord_cli.session.clustered.machine import Meeting, Trouble, trouble_of
from mirrord_cli.session.failed import SessionFailed
from mirrord_cli.session.forward.driver import PodPort
from mirrord_cli.session.hello import hello_for, look, refused
from mirrord_cli.session.instructions import Began, Leave, Meet, NotCreated, Runs
from mirrord_cli.session.log import Log
from mirrord_cli.session.reaching.machine import NEXT, ForwardFailed
from mirrord_cli.session.removing.driver import remove_job
from mirrord_cli.session.settings import EnvironmentRules, Settings
from mirrord_cli.session.status import Unmet
from mirrord_cli.session.telling.driver import Teller
from mirrord_protocol.client import Client, ConnectionLost, RemoteError, open_client
from mirrord_protocol.failure import RemoteProtocolError
from mirrord_protocol.values import Hello

PATIENCE = 15.0
"""Seconds that one attempt may take, with an agent that loads on a busy node before it answers."""
TIDYING = 8.0
"""Seconds that are taken to remove what was begun: nothing waits for it, and an agent ends by itself."""
AGAIN = 2.0
"""Seconds after which a Job that wasn't there is looked for again: its creation may have been on the way."""


@dataclass(frozen=True, slots=True)
class _Agent:
    """Who is to be met, and what for."""

    began: Began
    pod: str
    hello: Hello
    target: str
    """Whose agent it is, for people."""
    look: str
    """Where the reason of a failure is to be found."""


async def serve_in_cluster(
    settings: Settings, teller: Teller, log: Log, serve: Callable[[Client], Awaitable[None]]
) -> None:
    """Meet the agents that the command line names until one can be served by, then serve.

    Raises:
        ExceptionGroup, SessionFailed: What `serve` raises once the session was ready.
    """
    began: Began | None = None
    met = False

    async def serve_met(client: Client) -> None:
        nonlocal met
        met = True
        await serve(client)

    try:
        while True:
            match await teller.hear():
                case None:
                    return
                case Began() as began:
                    met = False
                case NotCreated():
                    began = None
                case Meet(pod=pod):
                    assert began is not None
                    unmet = await _meet(began, pod, settings, teller, serve_met)
                    if unmet is None:
                        return
                    log("warning", "agent not met", pod=pod, reason=unmet.text)
                    await teller.tell(unmet)
                case Runs() | Leave():  # it was told meanwhile that this one can't be met
                    continue
    finally:
        if began is not None:
            with trio.move_on_after(TIDYING) as tidying:
                tidying.shield = True
                await _tidy(began, log, met=met)


async def _meet(
    began: Began, pod: str, settings: Settings, teller: Teller, serve: Callable[[Client], Awaitable[None]]
) -> Unmet | None:
    """Meet one agent, and serve; return why it wasn't met. The command line is heard until then."""
    meeting, news = Meeting(trio.current_time()), _News()
    attempts, hearing = trio.CancelScope(), trio.CancelScope()
    failed: ForwardFailed | SessionFailed | None = None

    async def hear() -> None:
        with hearing:
            while True:
                match await teller.hear():
                    case Runs(patience=patience):
                        meeting.runs(trio.current_time(), patience)
                        news.come()
                    case _:  # or the command line is gone
                        attempts.cancel()
                        return

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hear)
        with attempts:
            try:
                hello = hello_for(settings.environment, began.token)
                agent = _Agent(began, pod, hello, settings.target.name, look(settings))
                async with _client(agent, meeting, news.wait) as client:
                    hearing.cancel()
                    await serve(client)
            except (ForwardFailed, SessionFailed) as error:  # not to go through the nursery, which would wrap it
                failed = error
        nursery.cancel_scope.cancel()
    if failed is not None:
        if teller.closed:
            raise failed
        return Unmet(failed.category, failed.text, failed.next_step, isinstance(failed, ForwardFailed))
    if attempts.cancelled_caught:
        return Unmet("cluster", f"The agent in pod {pod} was waited for no more.", "Try again.")
    return None


class _News:
    """What ends a pause."""

    def __init__(self) -> None:
        self._came = trio.Event()

    def come(self) -> None:
        """End the pause."""
        self._came.set()

    async def wait(self, seconds: float) -> None:
        """Wait for so long, or until there is news."""
        with trio.move_on_after(seconds):
            await self._came.wait()
        self._came = trio.Event()


@asynccontextmanager
async def _client(agent: _Agent, meeting: Meeting, pause: Callable[[float], Awaitable[None]]) -> AsyncIterator[Client]:
    """Yield a client of an agent, which may take a moment until it listens."""
    began, met = agent.began, False
    unheard = SessionFailed(
        "cluster",
        f"The agent in pod {agent.pod} doesn't listen on its port {began.port}.",
        f"`kubectl logs -n {began.namespace} {agent.pod}` may tell why.",
    )
    async with PodPort(began.access, began.namespace, agent.pod, began.port) as port:
        while True:
            started = trio.current_time()
            failed: ForwardFailed | SessionFailed = unheard
            trouble = Trouble.UNHEARD
            try:
                with trio.CancelScope(deadline=started + PATIENCE) as attempt:
                    async with await port.connect() as stream:
                        if not stream.unheard:
                            async with open_client(stream, agent.hello) as client:
                                # From here on it is neither left nor late.
                                await trio.lowlevel.checkpoint_if_cancelled()
                                met, attempt.deadline = True, math.inf
                                yield client
                            return
            except ForwardFailed as error:
                if met:
                    raise
                failed, trouble = error, trouble_of(error)
            except RemoteError as error:
                if met:
                    raise
                raise refused(error.failure, agent.target) from None
            except (ConnectionLost, RemoteProtocolError) as error:
                if met:
                    raise
                if isinstance(error, RemoteProtocolError) or not stream.reason:
                    text = f"The agent in pod {agent.pod} failed before it answered: {error}."
                    failed = SessionFailed("us", text, agent.look)
                    trouble = Trouble.CUT if isinstance(error, ConnectionLost) else Trouble.LASTING
                elif not stream.unheard:
                    text = f"The connection to the agent in pod {agent.pod} ended before it answered: {stream.reason}."
                    failed, trouble = ForwardFailed("cluster", text, NEXT), Trouble.PASSING
            seconds = meeting.failed(trouble, started, trio.current_time(), anew=not port.kept)
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
    async with _client(_Agent(began, began.pod, hello, began.pod, ""), meeting, trio.sleep):
        pass
