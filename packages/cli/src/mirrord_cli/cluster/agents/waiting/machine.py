"""When a session is told to meet an agent, that it runs, and to leave it: in which order the two's news come. No I/O.

| stage | the pod has a node | its container runs | it fails |
|---|---|---|---|
| `WAITING` | `Meet`, `MEETING` | | `OVER` |
| `MEETING` | | `Runs`, `RUNNING` | `Leave`, `LEAVING` |
| `RUNNING` | | | `Leave`, `LEAVING` |
| `LEAVING` | | | |
| `OVER` | | | |

From `MEETING` on it is the session that ends it, with its answer to `Meet`.

The session connects while the container starts, since the cluster tells of that late; so it may have met an agent of
which the cluster then says that it fails. What the session says counts: one that was met is.
"""

from __future__ import annotations

import enum

from mirrord_cli.cluster.agents.watching import Failed, Running, State
from mirrord_cli.session.instructions import Leave, Meet, Runs

LISTENS_WITHIN = 20.0
"""Seconds from when its container runs that an agent may take to listen: it has to load, perhaps on a busy node."""


class Stage(enum.Enum):
    """How far it is."""

    WAITING = "waiting"
    MEETING = "meeting"
    RUNNING = "running"
    LEAVING = "leaving"
    OVER = "over"


class Telling:
    """One agent, and one session that is to meet it."""

    def __init__(self) -> None:
        self.stage = Stage.WAITING

    def see(self, pod: str, state: State) -> list[Meet | Runs | Leave]:
        """Take in how it is with the agent; return what the session is told.

        Args:
            pod: Its pod's name, once that has a node; else empty.
            state: What the cluster says.
        """
        told: list[Meet | Runs | Leave] = []
        if isinstance(state, Failed):
            return self.fail()
        if self.stage is Stage.WAITING and pod:
            self.stage = Stage.MEETING
            told.append(Meet(pod=pod))
        if self.stage is Stage.MEETING and isinstance(state, Running):
            self.stage = Stage.RUNNING
            told.append(Runs(patience=LISTENS_WITHIN))
        return told

    def fail(self) -> list[Meet | Runs | Leave]:
        """Take in that nothing will come of it; return what the session is told."""
        match self.stage:
            case Stage.WAITING:
                self.stage = Stage.OVER
            case Stage.MEETING | Stage.RUNNING:
                self.stage = Stage.LEAVING
                return [Leave()]
        return []
