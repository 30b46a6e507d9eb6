"""Starts an agent in a cluster and has the session meet it, or sees to it that it is gone.

ladder.py says what is tried, spec.py what is sent; waiting/ sees to it that it runs and is met.
"""

from __future__ import annotations

import secrets
import string
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from mirrord_cli.cluster.agents.agent import ClusterAgent
from mirrord_cli.cluster.agents.ladder import Refusal, Rung
from mirrord_cli.cluster.agents.outcomes import REFUSALS, RungRefused, for_refused
from mirrord_cli.cluster.agents.spec import CONTAINER, Start, choose_port, ephemeral_patch, job
from mirrord_cli.cluster.agents.waiting.driver import Session, Waiter
from mirrord_cli.cluster.api.driver import Api
from mirrord_cli.cluster.api.machine import Refused
from mirrord_cli.cluster.objects import Json
from mirrord_cli.cluster.targets.found import FoundTarget
from mirrord_cli.config.keys import Config
from mirrord_cli.errors import MirrordError
from mirrord_cli.session.instructions import Began, NotCreated

ALPHABET = string.ascii_lowercase + string.digits
SUFFIX = 10
CONFLICT = 409
ALREADY = "AlreadyExists"
PAUSE = 0.1
"""Seconds before a creation is tried again; it grows by as much each time."""
ATTEMPTS = 5
"""How often a creation is tried that meets another change, of a quota mostly."""

T = TypeVar("T")


def start_agent(
    api: Api,
    rung: Rung,
    found: FoundTarget | None,
    config: Config,
    session: Session[T],
    *,
    token: bytes,
    owner: str,
    progress: Callable[[str], None],
) -> tuple[ClusterAgent, T]:
    """Create an agent and wait until the session has met it.

    Args:
        api: The cluster.
        rung: What kind of agent.
        found: The target; None for an agent that is its own.
        config: The configuration.
        session: Told of the agent before anything is created.
        token: What the session has to show to the agent; its digest alone goes to the cluster.
        owner: Whose session it is, for people: `alice on laptop, process 4242`.
        progress: Told in a few words what is waited for.

    Returns:
        The agent, and what the session says of itself.

    Raises:
        RungRefused: Another kind of agent may do.
        MirrordError: None would, or the session has ended. In each case what was created has been removed.
    """
    if rung.refused:
        raise RungRefused(Refusal(rung, rung.refused, "you", rung.next_step))
    start = _starting(found if rung.mode == "ephemeral" else None, token, owner)
    agent = _agent(api, rung, found, config, start)
    began = Began(
        access=api.access, namespace=agent.namespace, job=agent.job, pod=agent.pod, port=agent.port, token=token
    )
    if not session.tell(began):  # so nothing is begun
        raise session.failure()
    done = False
    try:
        progress(f"creating {rung.name}")
        try:
            _create(api, agent, found, config, start, rung)
        except Refused as refused:
            if refused.status in REFUSALS:  # there is nothing to remove; a gateway's silence may hide a creation
                done = True
                session.tell(NotCreated())
            raise for_refused(refused, rung, agent) from None
        met = Waiter(api, agent, rung, found, config).until_met(session, progress)
        done = True
        return met
    finally:
        if not done:
            with suppress(MirrordError, Refused):  # the session tries as well, and an agent that nobody meets ends
                remove_agent(api, agent)


def remove_agent(api: Api, agent: ClusterAgent) -> None:
    """Remove an agent's Job, with its pod; an ephemeral container can't be, and ends by itself.

    Raises:
        MirrordError, Refused: It can't be done.
    """
    if agent.job:
        api.delete(f"{agent.jobs}/{agent.job}", propagationPolicy="Background")


def _starting(beside: FoundTarget | None, token: bytes, owner: str) -> Start:
    suffix = "".join(secrets.choice(ALPHABET) for _ in range(SUFFIX))
    taken = {probe.port for probe in beside.probes} if beside else set[int]()
    return Start(name=f"{CONTAINER}-{suffix}", port=choose_port(taken, secrets.randbelow), token=token, owner=owner)


def _agent(api: Api, rung: Rung, found: FoundTarget | None, config: Config, start: Start) -> ClusterAgent:
    if rung.mode == "ephemeral":
        assert found is not None
        return ClusterAgent(
            namespace=found.namespace, pod=found.pod, container=start.name, port=start.port, warning=rung.warning
        )
    target = found.namespace if found else config.target.namespace or api.namespace
    namespace = (config.agent.namespace or target) if found else target
    return ClusterAgent(
        namespace=namespace, pod="", container=CONTAINER, port=start.port, job=start.name, warning=rung.warning
    )


def _create(api: Api, agent: ClusterAgent, found: FoundTarget | None, config: Config, start: Start, rung: Rung) -> None:
    if not agent.job:
        assert found is not None
        path = f"{agent.pods}/{agent.pod}/ephemeralcontainers"
        patch = ephemeral_patch(config.agent, found, start, rung)
        _unless_changed(lambda: api.patch(path, patch))
        return
    body = job(config.agent, found, start, rung)
    _unless_changed(lambda: api.create(agent.jobs, body))


def _unless_changed(create: Callable[[], Json]) -> None:
    """Create something, again where the cluster says that something changed meanwhile."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            create()
        except Refused as refused:
            if refused.status != CONFLICT or (refused.reason != ALREADY and attempt == ATTEMPTS):
                raise
            if refused.reason != ALREADY:  # else the answer to a first attempt was lost
                time.sleep(PAUSE * attempt)
                continue
        return
