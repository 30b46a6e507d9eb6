"""Waits until an agent runs and the session has met it: watches the cluster, and hears the session, at once.

../watching.py says what the cluster's answers mean, machine.py what the session is told and when.
"""

from __future__ import annotations

import math
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, Protocol, TypeVar

from msgspec.structs import replace

from mirrord_cli.cluster.agents.agent import ClusterAgent
from mirrord_cli.cluster.agents.ladder import Refusal, Rung
from mirrord_cli.cluster.agents.outcomes import RungRefused, for_failed, for_refused
from mirrord_cli.cluster.agents.spec import default_image
from mirrord_cli.cluster.agents.waiting.machine import Stage, Telling
from mirrord_cli.cluster.agents.watching import Failed, Running, State, Waiting, Watched, Watching, last_words
from mirrord_cli.cluster.api.driver import Api
from mirrord_cli.cluster.api.machine import Refused
from mirrord_cli.cluster.objects import Json
from mirrord_cli.cluster.targets.found import FoundTarget
from mirrord_cli.config.keys import Config
from mirrord_cli.errors import MirrordError
from mirrord_cli.session.instructions import Instruction
from mirrord_cli.session.status import Unmet

TICK = 0.1
"""Seconds between looks at what is due."""
TOLD_WITHIN = 1.5
"""Seconds within which the cluster tells that a container has ended."""
FORBIDDEN = 403
CONNECTING = "connecting to the agent"

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Session(Protocol[T_co]):
    """A session that is to meet an agent."""

    def fileno(self) -> int:
        """Return a descriptor that is readable when there is something to hear."""

    def tell(self, instruction: Instruction) -> bool:
        """Give it an instruction; False if it takes no more, for a reason that is to be heard."""

    def hear(self, progress: Callable[[str], None]) -> T_co | Unmet | None:
        """Return what it has said, without waiting: of itself if it is ready; None if it has said nothing yet.

        Raises:
            MirrordError: It has ended.
        """

    def failure(self) -> MirrordError:
        """Return why it has ended."""


class Change(NamedTuple):
    """What a watch tells."""

    kind: str
    """`ADDED`, `MODIFIED` or `DELETED`."""
    pod: Json


Heard = Change | list[Json] | MirrordError | Refused
"""A change of a pod, all events, or why there is none of that."""


class Waiter:
    """Waits for one agent: the cluster is watched by threads, so that this one hears the session."""

    def __init__(self, api: Api, agent: ClusterAgent, rung: Rung, found: FoundTarget | None, config: Config) -> None:
        self._api, self._agent, self._rung = api, agent, rung
        self._seconds = float(config.agent.startup_timeout)
        self._watched = Watched(
            job=agent.job,
            pod=agent.pod,
            container=agent.container,
            image=config.agent.image or default_image(),
            namespace=agent.namespace,
            node=found.node if found else "",
            uid=found.uid if found and not agent.job else "",
        )
        self._watching = Watching(self._watched)
        self._telling = Telling()
        self._heard = _Heard()
        self._failure: RungRefused | MirrordError | None = None
        self._shown = ""

    def until_met(self, session: Session[T], progress: Callable[[str], None]) -> tuple[ClusterAgent, T]:
        """Return the agent, and what the session says that has met it.

        Raises:
            RungRefused, MirrordError: It comes to nothing.
        """
        began = time.monotonic()
        unmet: Unmet | None = None
        until = math.inf
        with self._heard.open() as wake:
            _in_background(self._watch)
            while True:
                self._see(time.monotonic() - began, session, progress)
                if self._failure and (unmet or self._telling.stage is Stage.OVER):
                    raise self._failure
                if unmet and time.monotonic() >= until:
                    raise self._unmet(unmet)
                select.select([wake] if unmet else [wake, session.fileno()], [], [], TICK)
                match None if unmet else self._hear(session, progress):
                    case Unmet() as unmet:
                        # One that broke off has perhaps ended; the cluster tells that in better words, but late.
                        until = time.monotonic() + (TOLD_WITHIN if unmet.category == "us" else 0)
                    case None:
                        continue
                    case met:
                        return replace(self._agent, pod=self._watching.pod), met

    def _hear(self, session: Session[T], progress: Callable[[str], None]) -> T | Unmet | None:
        try:
            return session.hear(progress)
        except MirrordError:
            if self._failure:  # it is known why this comes to nothing; the session's end shows at what comes next
                raise self._failure from None
            raise

    def _see(self, elapsed: float, session: Session[T], progress: Callable[[str], None]) -> None:
        """Take in the next thing that threads heard, and what time it is; tell what follows from it."""
        match self._heard.take():
            case Change(kind, pod):
                self._watching.see_pod(kind, pod)
            case list() as events:
                self._watching.see_events(events)
            case (Refused() | MirrordError()) as error:
                if self._telling.stage is not Stage.RUNNING:  # else the session has the last word, and soon
                    self._fail(for_refused(error, self._rung, self._agent) if isinstance(error, Refused) else error)
        state = self._watching.see_time(elapsed)
        if isinstance(state, Waiting) and elapsed >= self._seconds:
            state = self._watching.late(self._seconds)
        if isinstance(state, Failed):
            self._fail(for_failed(state, self._rung))
        told = self._telling.fail() if self._failure else self._telling.see(self._watching.pod, state)
        for instruction in told:
            session.tell(instruction)
        self._show(state, progress)
        if self._watching.wants_events(elapsed):
            _in_background(self._look)

    def _fail(self, failure: RungRefused | MirrordError) -> None:
        self._failure = self._failure or failure

    def _show(self, state: State, progress: Callable[[str], None]) -> None:
        match state:
            case Waiting(text) if text != self._shown:
                self._shown = text
                progress(text)
            case Running() if self._shown != CONNECTING:
                self._shown = CONNECTING
                progress(CONNECTING)

    def _unmet(self, unmet: Unmet) -> RungRefused | MirrordError:
        """Return what is to be raised for an agent that the session hasn't met, though the cluster sees no failure."""
        try:
            pod = self._api.get(f"{self._agent.pods}/{self._watching.pod}")
        except (MirrordError, Refused):
            pod = {}
        if unmet.unreached and pod:  # if it ended, its own words count for more
            state = Watching(self._watched).see_pod("MODIFIED", pod)
            if isinstance(state, Failed):
                return for_failed(state, self._rung)
        if unmet.unreached or unmet.category == "configuration":
            return MirrordError(unmet.category, unmet.text, unmet.next_step)  # no other agent does better
        said = last_words(pod, self._agent.container)
        text = f"{unmet.text} It said: {said}" if said and said not in unmet.text else unmet.text
        return RungRefused(Refusal(self._rung, text, unmet.category, unmet.next_step))

    # ------------------------------------------------------------------------------------------ in threads

    def _watch(self) -> None:
        agent = self._agent
        query = (
            {"labelSelector": f"job-name={agent.job}"} if agent.job else {"fieldSelector": f"metadata.name={agent.pod}"}
        )
        try:
            for change, pod in self._api.watch(agent.pods, seconds=self._seconds, **query):
                if not self._heard.put(Change(change, pod)):
                    return
        except (MirrordError, Refused) as error:
            self._heard.put(error)

    def _look(self) -> None:
        agent, uid = self._agent, self._watching.pod_uid
        about = f"involvedObject.uid={uid}" if uid else f"involvedObject.name={agent.job or agent.pod}"
        path = f"/api/v1/namespaces/{agent.namespace}/events"
        try:
            self._heard.put(self._api.get(path, fieldSelector=about).get("items") or [])
        except Refused as refused:
            if refused.status == FORBIDDEN:
                self._watching.see_no_events()
        except MirrordError:
            return  # they only tell more


class _Heard:
    """What threads have heard, and a descriptor that is readable then."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._heard = deque[Heard]()
        self._wake = -1

    @contextmanager
    def open(self) -> Iterator[int]:
        """Yield the descriptor; after the block nothing is taken any more."""
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_SEMAPHORE)
        try:
            yield self._wake
        finally:
            with self._lock:
                os.close(self._wake)
                self._wake = -1

    def put(self, heard: Heard) -> bool:
        """Have something taken; False if it is too late for that."""
        with self._lock:
            if self._wake >= 0:
                self._heard.append(heard)
                os.eventfd_write(self._wake, 1)
            return self._wake >= 0

    def take(self) -> Heard | None:
        """Return what came first of what wasn't taken yet."""
        with self._lock:
            if not self._heard:
                return None
            os.eventfd_read(self._wake)
            return self._heard.popleft()


def _in_background(call: Callable[[], None]) -> None:
    threading.Thread(target=call, daemon=True).start()  # nobody waits for it: the program may start before it ends
