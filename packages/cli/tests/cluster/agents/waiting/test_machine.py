"""What a session is told of an agent, in whatever order the cluster's news and its own come."""

from __future__ import annotations

import pytest

from mirrord_cli.cluster.agents.waiting.machine import LISTENS_WITHIN, Stage, Telling
from mirrord_cli.cluster.agents.watching import Failed, Running, State, Waiting
from mirrord_cli.session.instructions import Leave, Meet, Runs

WAITING, RUNNING, FAILED = Waiting("for it"), Running(), Failed("It failed.", "Mend it.")
MEET, RUNS, LEAVE = Meet(pod="a"), Runs(patience=LISTENS_WITHIN), Leave()
Told = list[Meet | Runs | Leave]


@pytest.mark.parametrize(
    ("seen", "told", "stage"),
    [
        ([("", WAITING)], [], Stage.WAITING),
        ([("", WAITING), ("", FAILED)], [], Stage.OVER),
        ([("a", WAITING), ("a", WAITING)], [MEET], Stage.MEETING),
        ([("a", WAITING), ("a", RUNNING), ("a", RUNNING)], [MEET, RUNS], Stage.RUNNING),
        ([("a", RUNNING)], [MEET, RUNS], Stage.RUNNING),
        ([("a", WAITING), ("a", FAILED), ("a", FAILED)], [MEET, LEAVE], Stage.LEAVING),
        ([("a", RUNNING), ("a", FAILED), ("a", RUNNING)], [MEET, RUNS, LEAVE], Stage.LEAVING),
        ([("a", FAILED), ("a", WAITING)], [], Stage.OVER),
    ],
)
def test_what_is_told(seen: list[tuple[str, State]], told: Told, stage: Stage) -> None:
    telling = Telling()

    assert [each for pod, state in seen for each in telling.see(pod, state)] == told
    assert telling.stage is stage


def test_what_else_fails_is_the_same() -> None:
    telling = Telling()
    assert telling.fail() == [] and telling.stage is Stage.OVER
    telling = Telling()
    telling.see("a", WAITING)
    assert telling.fail() == [LEAVE] and telling.stage is Stage.LEAVING
    assert telling.fail() == []
