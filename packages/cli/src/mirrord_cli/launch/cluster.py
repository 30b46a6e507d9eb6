"""Starts a session with a target in a cluster: forks it, has an agent created, and lets the session meet it.

What is created, and in which order it is tried, is decided in ../cluster/. What speaks to the API server is loaded here,
after the fork: session and command line load at once, and all of it is gone when this process becomes the program.
"""

from __future__ import annotations

import getpass
import os
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirrord_cli.config.keys import Config
from mirrord_cli.config.target import TARGETLESS, ClusterTarget
from mirrord_cli.environment.probes import Probe
from mirrord_cli.errors import MirrordError
from mirrord_cli.launch.session import Forked, Started, fork_session
from mirrord_cli.session.settings import Settings

if TYPE_CHECKING:
    from mirrord_cli.cluster.agents.agent import ClusterAgent
    from mirrord_cli.cluster.agents.ladder import Refusal, Rung
    from mirrord_cli.cluster.api.driver import Api
    from mirrord_cli.cluster.targets.found import FoundTarget

TOKEN_SIZE = 32


@dataclass(frozen=True, slots=True)
class InCluster:
    """A session with an agent in a cluster, and what is to be told of them."""

    started: Started
    place: str
    """Where the target is; empty for an agent that is its own."""
    agent: str
    """What the agent is and how long it took."""
    probes: tuple[Probe, ...]
    """Of the target's pod."""
    warnings: tuple[str, ...]


def start_in_cluster(
    settings: Settings,
    target: ClusterTarget,
    config: Config,
    variables: Mapping[str, str],
    report: Callable[[str], None],
) -> InCluster:
    """Start a session, an agent for it, and wait until both are ready.

    Args:
        settings: What the session is to do.
        target: Whom it is for.
        config: The configuration.
        variables: This process's.
        report: Is told in a few words what is being waited for.

    Raises:
        MirrordError: It didn't become ready; nothing is left.
    """
    with fork_session(settings) as session:
        from mirrord_cli.cluster.api.driver import open_configured
        from mirrord_cli.cluster.api.machine import Refused
        from mirrord_cli.cluster.targets.driver import find_target

        report("reaching the cluster")
        api = open_configured(config, variables)
        namespace = config.target.namespace or api.namespace
        if target.kind != TARGETLESS:
            report(f"looking for {settings.target.name} in namespace {namespace}")
        found = find_target(api, target, namespace)
        try:
            return _Starting(session, settings, api, found, config, report).walk()
        except Refused as refused:
            text = f"The cluster refuses what mirrord needs: {refused.message.rstrip('.')}."
            raise MirrordError("cluster", text, "`mirrord rbac` prints the rights that it takes.") from None


class _Starting:
    """The ladder's rungs, tried one after the other."""

    def __init__(
        self,
        session: Forked,
        settings: Settings,
        api: Api,
        found: FoundTarget | None,
        config: Config,
        report: Callable[[str], None],
    ) -> None:
        self._session, self._settings, self._api, self._found = session, settings, api, found
        self._config, self._report = config, report

    def walk(self) -> InCluster:
        """Try rungs until the session has met an agent."""
        from mirrord_cli.cluster.agents.ladder import Refusal, none_left, notices, rungs

        refusals = list[Refusal]()
        found = self._found
        for rung in rungs(self._config.agent, found, self._settings.network):
            began = time.monotonic()
            outcome = self._try(rung)
            if isinstance(outcome, Refusal):
                refusals.append(outcome)
                continue
            agent, started = outcome
            return InCluster(
                started,
                place=found.place if found else "",
                agent=f"{agent.name}, ready after {time.monotonic() - began:.1f} s",
                probes=found.probes if found else (),
                warnings=(
                    *(found.warnings if found else ()),
                    *notices(refusals),
                    *([agent.warning] if agent.warning else ()),
                ),
            )
        raise none_left(refusals)

    def _try(self, rung: Rung) -> tuple[ClusterAgent, Started] | Refusal:
        from mirrord_cli.cluster.agents.driver import start_agent
        from mirrord_cli.cluster.agents.outcomes import RungRefused

        try:
            return start_agent(
                self._api,
                rung,
                self._found,
                self._config,
                self._session,
                token=secrets.token_bytes(TOKEN_SIZE),
                owner=_owner(),
                progress=self._report,
            )
        except RungRefused as refused:
            return refused.refusal
        except MirrordError:
            self._tidy()
            raise

    def _tidy(self) -> None:
        """Where the session was killed before it met the agent: another one ends it."""
        began = self._session.began
        if began is None or self._session.silent:
            return
        with suppress(MirrordError), fork_session(self._settings) as session:
            session.tell(began)


def _owner() -> str:
    """Return whose session this is, for those who find a port taken."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user without an entry, as containers have them
        user = f"user {os.getuid()}"
    return f"{user} on {os.uname().nodename}, process {os.getpid()}"
