"""Starts of agents at a scripted API server, for tests of what is created and of what becomes of it."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from mirrord_cli.cluster.agents.agent import ClusterAgent
from mirrord_cli.cluster.agents.driver import start_agent
from mirrord_cli.cluster.agents.ladder import Rung
from mirrord_cli.cluster.api.driver import Api
from mirrord_cli.cluster.targets.found import FoundTarget
from mirrord_cli.config.keys import Config
from mirrord_cli.errors import MirrordError
from mirrord_cli.session.instructions import Began, Instruction, Leave, Runs
from mirrord_cli.session.status import Unmet
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


READY = "ready"
"""What the session says of itself."""
Answer = str | Unmet | MirrordError
Script = Callable[[Instruction], Answer | None]


def when_it_runs(instruction: Instruction) -> Answer | None:
    """A session that meets each agent, but not before it is said to run."""
    match instruction:
        case Runs():
            return READY
        case Leave():
            return Unmet("cluster", "It was waited for no more.", "Try again.")
    return None


class ScriptedSession:
    """A session that says what the test's script does, to each instruction."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.told = list[Instruction]()
        self.takes_more = True
        self.looks = 0
        """How often somebody has tried to hear it."""
        self._answers = deque[Answer]()
        self._ours, self._its = socket.socketpair()

    def close(self) -> None:
        self._ours.close()
        self._its.close()

    def fileno(self) -> int:
        return self._ours.fileno()

    def tell(self, instruction: Instruction) -> bool:
        self.told.append(instruction)
        if (answer := self.script(instruction)) is not None:
            self.answer(answer)
        return self.takes_more

    def answer(self, answer: Answer) -> None:
        self._answers.append(answer)
        self._its.send(b"!")

    def hear(self, progress: Callable[[str], None]) -> str | Unmet | None:
        self.looks += 1
        if not self._answers:
            return None
        self._ours.recv(1)
        answer = self._answers.popleft()
        if isinstance(answer, MirrordError):
            raise answer
        return answer

    def failure(self) -> MirrordError:
        return MirrordError("us", "The session ended.", "Try again.")


@dataclass
class Start:
    """One start of an agent: what is said meanwhile, in its order."""

    api: Api
    server: ApiServer
    session: ScriptedSession
    said: list[str] = field(default_factory=list)

    def __call__(self, rung: Rung, target: FoundTarget | None = None, config: Config | None = None) -> ClusterAgent:
        agent, ready = start_agent(
            self.api,
            rung,
            target,
            config or Config(),
            self.session,
            token=TOKEN,
            owner="alice on laptop, process 4242",
            progress=self.said.append,
        )
        assert ready == READY
        return agent

    @property
    def began(self) -> Began:
        """The one agent of which the session was told."""
        [began] = [each for each in self.session.told if isinstance(each, Began)]
        return began

    @property
    def told(self) -> list[str]:
        """What the session was told, by name."""
        return [type(each).__name__ for each in self.session.told]


def deletions(server: ApiServer) -> list[Asked]:
    return [asked for asked in server.asked if asked.method == "DELETE"]
