"""Starts a session with a target in a cluster: forks it, has an agent created, and lets the session meet it.

What is created, and in which order it is tried, is decided in ../cluster/. The kubernetes client is loaded here, after
the fork: session and client load at once, and the client is gone when this process becomes the program.
"""

from __future__ import annotations

import getpass
import os
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirrord_cli.config.resolve import Resolved
from mirrord_cli.config.target import ClusterTarget
from mirrord_cli.environment.probes import Probe
from mirrord_cli.errors import MirrordError
from mirrord_cli.launch.session import Forked, Started, fork_session
from mirrord_cli.session.instructions import Began, Meet
from mirrord_cli.session.settings import Settings
from mirrord_cli.session.status import Unmet

if TYPE_CHECKING:
    from mirrord_cli.cluster.agents.driver import RunningAgent
    from mirrord_cli.cluster.agents.ladder import Refusal
    from mirrord_cli.cluster.api.driver import Api

TOKEN_SIZE = 32
LISTENS_WITHIN = 20.0
"""Seconds from when its container runs that an agent may take to listen: it has to load, perhaps on a busy node."""


@dataclass(frozen=True, slots=True)
class InCluster:
    """A session with an agent in a cluster, and what is to be told of them."""

    started: Started
    place: str
    """Where the target is: its pod and container."""
    agent: str
    """What the agent is and how long it took."""
    probes: tuple[Probe, ...] = ()
    warnings: tuple[str, ...] = ()


def start_in_cluster(
    settings: Settings,
    target: ClusterTarget,
    resolved: Resolved,
    variables: Mapping[str, str],
    report: Callable[[str], None],
) -> InCluster:
    """Start a session, an agent for it, and wait until both are ready.

    Raises:
        MirrordError: It didn't become ready; nothing is left.
    """
    with fork_session(settings) as session:
        from mirrord_cli.cluster.api.driver import open_api
        from mirrord_cli.cluster.targets.driver import find_target

        config = resolved.config
        report("reaching the cluster")
        api = open_api(
            kubeconfig=config.kubeconfig,
            context=config.kube_context,
            accept_invalid_certificates=config.accept_invalid_certificates,
            use_proxy=config.use_proxy,
            retry=Retry(config.startup_retry),
            variables=variables,
        )
        namespace = config.target.namespace or api.namespace
        report(f"looking for {settings.target.name} in namespace {namespace}")
        found = find_target(api, target, namespace)
        return _Starting(session, api, found, config, report).walk(settings)


class _Starting:
    """The ladder's rungs, tried one after the other."""

    def __init__(
        self, session: Forked, api: Api, found: FoundTarget, config: Config, report: Callable[[str], None]
    ) -> None:
        self._session, self._api, self._found, self._config = session, api, found, config
        self._report = report
        self._began: Began | None = None

    def walk(self, settings: Settings) -> InCluster:
        """Try rungs until the session has met an agent."""
        from mirrord_cli.cluster.agents.ladder import Refusal, none_left, rungs

        refusals = list[Refusal]()
        for rung in rungs(self._config.agent, self._found, settings.network):
            began = time.monotonic()
            outcome = self._try(rung)
            if isinstance(outcome, Refusal):
                refusals.append(outcome)
                continue
            started, agent = outcome
            seconds = time.monotonic() - began
            return InCluster(
                started,
                place=self._found.place,
                agent=f"{agent.name}, ready after {seconds:.1f} s",
                probes=self._found.probes,
                warnings=(*self._found.warnings, *(refusal.notice for refusal in refusals)),
            )
        raise none_left(refusals)

    def _try(self, rung: Rung) -> tuple[Started, RunningAgent] | Refusal:
        from mirrord_cli.cluster.agents.driver import RungRefused, remove_agent, start_agent
        from mirrord_cli.cluster.agents.ladder import Refusal

        try:
            agent = start_agent(
                self._api,
                rung,
                self._found,
                self._config.agent,
                token=secrets.token_bytes(TOKEN_SIZE),
                owner=_owner(),
                begun=self._tell,
                progress=self._report,
                alive=lambda: self._session.alive,
            )
        except RungRefused as refused:
            return Refusal(rung, str(refused))
        self._session.tell(Meet(pod=agent.pod, patience=LISTENS_WITHIN))
        match self._session.wait(self._report):
            case Started() as started:
                return started, agent
            case Unmet(category, text, next_step):
                remove_agent(self._api, agent)
                return Refusal(rung, text, category, next_step)
