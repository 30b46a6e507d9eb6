"""Starts of agents at a scripted API server, for tests of what is created and of what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from mirrord_cli.cluster.agents.driver import RunningAgent, start_agent
from mirrord_cli.cluster.agents.ladder import Rung
from mirrord_cli.cluster.api.driver import Api
from mirrord_cli.cluster.targets.found import FoundTarget
from mirrord_cli.config.keys import Config
from mirrord_cli.session.instructions import Began
from scripted_server import ApiServer, Asked

JOBS = "/apis/batch/v1/namespaces/shop/jobs"
PODS = "/api/v1/namespaces/shop/pods"
EVENTS = "/api/v1/namespaces/shop/events"
PARTS = f"{PODS}/web-5d8/ephemeralcontainers"
JOB = Rung(mode="job", level="full", incoming=True)
FULL = Rung(mode="ephemeral", level="full", incoming=True)
TARGETLESS = Rung(mode="job", level="restricted")
TOKEN = bytes(range(32))
RUNNING = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
SECURITY = 'pods "web-5d8" is forbidden: violates PodSecurity "baseline:latest": non-default capabilities'


@dataclass
class Start:
    """One start of an agent: what is said meanwhile, in its order."""

    api: Api
    server: ApiServer
    began: list[Began] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    asked_before: list[int] = field(default_factory=list)
    alive: Callable[[], bool] = lambda: True

    def __call__(self, rung: Rung, target: FoundTarget | None = None, config: Config | None = None) -> RunningAgent:
        return start_agent(
            self.api,
            rung,
            target,
            config or Config(),
            token=TOKEN,
            owner="alice on laptop, process 4242",
            begun=self._begun,
            progress=self.said.append,
            alive=self.alive,
        )

    def _begun(self, began: Began) -> None:
        self.began.append(began)
        self.asked_before.append(len(self.server.asked))


def deletions(server: ApiServer) -> list[Asked]:
    return [asked for asked in server.asked if asked.method == "DELETE"]
