"""Starts an agent in a cluster and waits until it runs, or sees to it that it is gone.

ladder.py says what is tried, spec.py what is sent, watching.py what the cluster's answers mean; that the agent listens,
and serves, is found out by the session, which is told of an agent before there is one.
"""

from __future__ import annotations

import queue
import secrets
import string
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from msgspec import Struct

from mirrord_cli.cluster.agents.ladder import Refusal, Rung
from mirrord_cli.cluster.agents.reasons import explain, is_replaced
from mirrord_cli.cluster.agents.spec import CONTAINER, Start, choose_port, default_image, ephemeral_patch, job
from mirrord_cli.cluster.agents.watching import Failed, Running, Waiting, Watched, Watching, last_words
from mirrord_cli.cluster.api.driver import Api
from mirrord_cli.cluster.api.machine import Refused
from mirrord_cli.cluster.objects import Json
from mirrord_cli.cluster.targets.found import FoundTarget
from mirrord_cli.config.keys import Config
from mirrord_cli.errors import MirrordError
from mirrord_cli.session.instructions import Began

TICK = 0.1
"""Seconds between looks at whether the session lives."""
ALPHABET = string.ascii_lowercase + string.digits
SUFFIX = 10
CONFLICT = 409
ALREADY = "AlreadyExists"
FORBIDDEN = 403
ATTEMPTS = 5
"""How often a creation is tried that meets another change, of a quota mostly."""
REFUSALS = {400, 403, 404, 405, 422}
"""What HTTP says of objects that a cluster doesn't admit; 400 is what a webhook says that names no code."""


class RungRefused(Exception):
    """The cluster doesn't admit this kind of agent, or it came to nothing; another kind may do."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.text)
        self.refusal = refusal


class SessionGone(Exception):
    """The session for which an agent was started has ended."""


class RunningAgent(Struct, frozen=True, kw_only=True):
    """An agent whose container runs."""

    namespace: str
    pod: str
    container: str
    port: int
    """On the loopback of the pod's network."""
    job: str = ""
    """The name of its Job; empty for an ephemeral container."""
    warning: str = ""
    """What a person should know of it; empty for nothing."""

    @property
    def name(self) -> str:
        """What it is, for people."""
        if self.job:
            return f"Job {self.job} in namespace {self.namespace}"
        return f"ephemeral container {self.container} in pod {self.pod}"


def start_agent(
    api: Api,
    rung: Rung,
    found: FoundTarget | None,
    config: Config,
    *,
    token: bytes,
    owner: str,
    begun: Callable[[Began], None],
    progress: Callable[[str], None],
    alive: Callable[[], bool],
) -> RunningAgent:
    """Create an agent and wait until its container runs.

    Args:
        api: The cluster.
        rung: What kind of agent.
        found: The target; None for an agent that is its own.
        config: The configuration.
        token: What a session has to show to the agent; its digest alone goes to the cluster.
        owner: Whose session it is, for people: `alice on laptop, process 4242`.
        begun: Told of the agent before anything is created.
        progress: Told in a few words what is waited for.
        alive: Whether the session is still there.

    Raises:
        RungRefused: Another kind of agent may do.
        MirrordError: None would.
        SessionGone: It ended meanwhile. In each case what was created has been removed.
    """
    if rung.refused:
        raise RungRefused(Refusal(rung, rung.refused, "you", rung.next_step))
    start = _starting(found if rung.mode == "ephemeral" else None, token, owner)
    agent = _agent(api, rung, found, config, start)
    begun(Began(
        access=api.access, namespace=agent.namespace, job=agent.job, pod=agent.pod, port=agent.port, token=token
    ))  # fmt: skip
    done = False
    try:
        progress(f"creating {rung.name}")
        try:
            _create(api, agent, found, config, start, rung)
        except Refused as refused:
            done = refused.status in REFUSALS  # there is nothing to remove; a gateway's silence may hide a creation
            raise _refused(refused, rung, agent) from None
        running = _Wait(api, agent, found, config).until_running(rung, progress, alive)
        done = True
        return running
    finally:
        if not done:
            with suppress(MirrordError, Refused):  # the session tries as well, and an agent that nobody meets ends
                remove_agent(api, agent)


def remove_agent(api: Api, agent: RunningAgent) -> None:
    """Remove an agent's Job, with its pod; an ephemeral container can't be, and ends by itself.

    Raises:
        MirrordError, Refused: It can't be done.
    """
    if agent.job:
        api.delete(f"{_jobs(agent.namespace)}/{agent.job}", propagationPolicy="Background")


def last_words_of(api: Api, agent: RunningAgent) -> str | None:
    """Return what an agent said when it ended, as a sentence; empty if it said nothing, or can't be seen; None if it
    runs.
    """
    try:
        return last_words(api.get(f"{_pods(agent.namespace)}/{agent.pod}"), agent.container)
    except (MirrordError, Refused):
        return ""


def ending_of(api: Api, agent: RunningAgent, rung: Rung, config: Config) -> RungRefused | MirrordError | None:
    """Return what is to be raised for an agent that ended by itself; None if it runs, or can't be seen."""
    try:
        pod = api.get(f"{_pods(agent.namespace)}/{agent.pod}")
    except (MirrordError, Refused):
        return None
    state = Watching(_watched(agent, config)).see_pod("MODIFIED", pod)
    return _failed(state, rung) if isinstance(state, Failed) else None


# ---------------------------------------------------------------------------------------------- creating


def _starting(beside: FoundTarget | None, token: bytes, owner: str) -> Start:
    suffix = "".join(secrets.choice(ALPHABET) for _ in range(SUFFIX))
    taken = {probe.port for probe in beside.probes} if beside else set[int]()
    return Start(name=f"{CONTAINER}-{suffix}", port=choose_port(taken, secrets.randbelow), token=token, owner=owner)


def _agent(api: Api, rung: Rung, found: FoundTarget | None, config: Config, start: Start) -> RunningAgent:
    """Return the agent as it is to be; the pod of a Job has no name yet."""
    if rung.mode == "ephemeral":
        assert found is not None
        return RunningAgent(
            namespace=found.namespace, pod=found.pod, container=start.name, port=start.port, warning=rung.warning
        )
    target = found.namespace if found else config.target.namespace or api.namespace
    namespace = (config.agent.namespace or target) if found else target
    return RunningAgent(
        namespace=namespace, pod="", container=CONTAINER, port=start.port, job=start.name, warning=rung.warning
    )


def _create(api: Api, agent: RunningAgent, found: FoundTarget | None, config: Config, start: Start, rung: Rung) -> None:
    if not agent.job:
        assert found is not None
        path = f"{_pods(agent.namespace)}/{agent.pod}/ephemeralcontainers"
        patch = ephemeral_patch(config.agent, found, start, rung)
        _unless_changed(lambda: api.patch(path, patch))
        return
    body = job(config.agent, found, start, rung)
    _unless_changed(lambda: api.create(_jobs(agent.namespace), body))


def _unless_changed(create: Callable[[], Json]) -> None:
    """Create something, again where the cluster says that something changed meanwhile."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            create()
        except Refused as refused:
            if refused.status != CONFLICT or (refused.reason != ALREADY and attempt == ATTEMPTS):
                raise
            if refused.reason != ALREADY:  # else the answer to a first attempt was lost
                time.sleep(TICK * attempt)
                continue
        return


def _refused(refused: Refused, rung: Rung, agent: RunningAgent) -> RungRefused | MirrordError:
    namespace = agent.namespace
    if is_replaced(refused.message, agent.pod):
        return MirrordError(
            "cluster", f"The target's pod {agent.pod} was removed while the agent started.", "Try again."
        )
    why = explain(refused.message, status=refused.status, namespace=namespace, alone=rung.alone)
    if refused.status in REFUSALS:
        return RungRefused(Refusal(rung, why.text, why.category, why.next_step))
    return MirrordError(why.category, f"The cluster doesn't create the agent: {why.text}", why.next_step)


def _jobs(namespace: str) -> str:
    return f"/apis/batch/v1/namespaces/{namespace}/jobs"


def _pods(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/pods"


# ---------------------------------------------------------------------------------------------- waiting


def _watched(agent: RunningAgent, config: Config, found: FoundTarget | None = None) -> Watched:
    return Watched(
        job=agent.job,
        pod="" if agent.job else agent.pod,
        container=agent.container,
        image=config.agent.image or default_image(),
        namespace=agent.namespace,
        node=found.node if found else "",
        uid=found.uid if found and not agent.job else "",
    )


class Change(NamedTuple):
    """What a watch tells."""

    kind: str
    """`ADDED`, `MODIFIED` or `DELETED`."""
    pod: Json


Heard = Change | list[Json] | MirrordError | Refused
"""A change of a pod, all events, or why there is none of that."""


class _Wait:
    """Waits for one agent: the cluster is watched by threads, so that this one notices when the session is gone."""

    def __init__(self, api: Api, agent: RunningAgent, found: FoundTarget | None, config: Config) -> None:
        self._api, self._agent = api, agent
        self._seconds = float(config.agent.startup_timeout)
        self._watching = Watching(_watched(agent, config, found))
        self._heard = queue.SimpleQueue[Heard]()
        self._over = threading.Event()

    def until_running(self, rung: Rung, progress: Callable[[str], None], alive: Callable[[], bool]) -> RunningAgent:
        began = time.monotonic()
        _in_background(self._watch)
        said = ""
        try:
            while True:
                if not alive():
                    raise SessionGone
                elapsed = time.monotonic() - began
                match self._watching.see_time(elapsed):
                    case Running(pod):
                        agent = self._agent
                        return RunningAgent(
                            namespace=agent.namespace, pod=pod, container=agent.container, port=agent.port,
                            job=agent.job, warning=agent.warning,
                        )  # fmt: skip
                    case Failed() as failed:
                        raise _failed(failed, rung)
                    case Waiting(text) if text != said:
                        said = text
                        progress(text)
                if elapsed >= self._seconds:
                    raise _failed(self._watching.late(self._seconds), rung)
                if self._watching.wants_events(elapsed):
                    _in_background(self._look)
                self._hear(rung)
        finally:
            self._over.set()

    def _hear(self, rung: Rung) -> None:
        """Take in what threads heard, or nothing for a moment."""
        try:
            heard = self._heard.get(timeout=TICK)
        except queue.Empty:
            return
        match heard:
            case Change(kind, pod):
                self._watching.see_pod(kind, pod)
            case list() as events:
                self._watching.see_events(events)
            case MirrordError():
                raise heard
            case Refused():
                raise _refused(heard, rung, self._agent)

    def _watch(self) -> None:
        agent = self._agent
        query = (
            {"labelSelector": f"job-name={agent.job}"} if agent.job else {"fieldSelector": f"metadata.name={agent.pod}"}
        )
        try:
            for change, pod in self._api.watch(_pods(agent.namespace), seconds=self._seconds, **query):
                if self._over.is_set():
                    return
                self._heard.put(Change(change, pod))
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


def _in_background(call: Callable[[], None]) -> None:
    threading.Thread(target=call, daemon=True).start()  # nobody waits for it: the program may start before it ends


def _failed(failed: Failed, rung: Rung) -> RungRefused | MirrordError:
    if failed.refused:
        return RungRefused(Refusal(rung, failed.text, failed.category, failed.next_step))
    return MirrordError(failed.category, failed.text, failed.next_step)
