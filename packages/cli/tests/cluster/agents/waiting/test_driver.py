"""An agent's start as the cluster tells of it, and the session, at once: who is told what, and whose word counts."""

from __future__ import annotations

import os
import threading

import pytest

from agent_starts import FULL, JOB, PODS, READY, RUNNING, Answer, Start, deletions
from cluster_pods import found, pod
from mirrord_cli.cluster.agents.outcomes import RungRefused
from mirrord_cli.cluster.objects import Json
from mirrord_cli.config.agent_keys import Agent
from mirrord_cli.config.keys import Config
from mirrord_cli.errors import MirrordError
from mirrord_cli.session.instructions import Instruction, Leave, Meet, Runs
from mirrord_cli.session.status import Unmet
from scripted_server import ApiServer, failure

AGENT = f"{PODS}/mirrord-agent-abc-xyz12"
CREATING: Json = {"waiting": {"reason": "ContainerCreating"}}
UNMET = Unmet("us", "The agent failed before it answered.", "Look into the log.")
LEFT = Unmet("cluster", "It was waited for no more.", "Try again.")


def test_it_is_met_before_the_cluster_says_that_it_runs(start: Start, server: ApiServer) -> None:
    server.tell(PODS, "ADDED", pod(node=""))
    server.tell(PODS, "MODIFIED", pod(CREATING))
    start.session.script = lambda told: READY if isinstance(told, Meet) else None
    agent = start(JOB, found())

    assert agent.pod == "mirrord-agent-abc-xyz12"
    assert start.told == ["Began", "Meet"]
    assert start.session.told[1] == Meet(pod="mirrord-agent-abc-xyz12")
    assert deletions(server) == []


def test_it_is_not_tried_before_the_pod_has_a_node(start: Start, server: ApiServer) -> None:
    server.tell(PODS, "ADDED", pod(node=""))
    with pytest.raises(MirrordError, match="within 1 s"):
        start(JOB, found(), Config(agent=Agent(startup_timeout=1)))

    assert start.told == ["Began"]


def test_an_ephemeral_one_is_tried_at_once(start: Start, server: ApiServer) -> None:
    """Its pod is there; the watch need not have begun."""
    start.session.script = lambda told: READY if isinstance(told, Meet) else None

    assert start(FULL, found()).pod == "web-5d8"
    assert start.told == ["Began", "Meet"]


def test_what_the_cluster_says_counts_where_it_was_not_met(start: Start, server: ApiServer) -> None:
    """The session is told to leave it, and what it says to that isn't the reason."""
    server.tell(PODS, "ADDED", pod(CREATING))
    server.tell(PODS, "MODIFIED", pod({"waiting": {"reason": "ErrImagePull", "message": "not found"}}))
    with pytest.raises(MirrordError, match="Not found"):
        start(JOB, found())

    assert start.told == ["Began", "Meet", "Leave"]
    assert len(deletions(server)) == 1


def test_what_was_met_counts_though_the_cluster_says_that_it_fails(start: Start, server: ApiServer) -> None:
    server.tell(PODS, "ADDED", pod(CREATING))
    server.tell(PODS, "MODIFIED", pod({"waiting": {"reason": "ErrImagePull", "message": "not found"}}))
    start.session.script = lambda told: READY if isinstance(told, Leave) else None
    start(JOB, found())

    assert start.told == ["Began", "Meet", "Leave"]
    assert deletions(server) == []


def test_it_ends_after_it_ran(start: Start, server: ApiServer) -> None:
    """Which is told at once, and not when the session has no more patience."""
    ended = {"terminated": {"exitCode": 69, "reason": "Error", "message": "The agent can't listen on port 61001."}}
    server.tell(PODS, "ADDED", pod(RUNNING))
    server.tell(PODS, "MODIFIED", pod(ended, phase="Failed"))
    start.session.script = lambda told: LEFT if isinstance(told, Leave) else None
    with pytest.raises(RungRefused, match="can't listen on port 61001"):
        start(JOB, found())

    assert start.told == ["Began", "Meet", "Runs", "Leave"]


def test_a_watch_that_breaks_while_it_is_met(start: Start, server: ApiServer) -> None:
    """An ephemeral one is being met when it turns out that nobody may watch."""
    server.refuse("GET", PODS, 403, 'pods is forbidden: User "dev" cannot watch resource "pods" in API group ""')
    start.session.script = lambda told: LEFT if isinstance(told, Leave) else None
    with pytest.raises(RungRefused, match="cannot watch"):
        start(FULL, found())

    assert start.told == ["Began", "Meet", "Leave"]


def test_too_late_while_it_is_met(start: Start, server: ApiServer) -> None:
    server.tell(PODS, "ADDED", pod(CREATING))
    start.session.script = lambda told: LEFT if isinstance(told, Leave) else None
    with pytest.raises(MirrordError, match=r"within 1 s.*starting the agent on node"):
        start(JOB, found(), Config(agent=Agent(startup_timeout=1)))

    assert start.told == ["Began", "Meet", "Leave"]


def test_once_it_runs_the_time_for_that_is_over(start: Start, server: ApiServer) -> None:
    """The session has its own patience."""
    server.tell(PODS, "ADDED", pod(RUNNING))
    answers = threading.Timer(1.3, lambda: start.session.answer(READY))
    start.session.script = lambda told: answers.start() if isinstance(told, Runs) else None

    start(JOB, found(), Config(agent=Agent(startup_timeout=1)))
    answers.join()
    assert start.told == ["Began", "Meet", "Runs"]


def test_a_session_that_ends(start: Start, server: ApiServer) -> None:
    server.tell(PODS, "ADDED", pod())
    gone = MirrordError("us", "The session ended before it was ready.", "Try again.")
    start.session.script = lambda told: gone if isinstance(told, Meet) else None
    with pytest.raises(MirrordError, match="ended before it was ready"):
        start(JOB, found())

    assert len(deletions(server)) == 1


def test_a_session_that_ends_while_it_is_told_to_leave(start: Start, server: ApiServer) -> None:
    """Why the agent comes to nothing counts for more."""
    server.tell(PODS, "ADDED", pod(CREATING))
    server.tell(PODS, "MODIFIED", pod({"waiting": {"reason": "ErrImagePull", "message": "not found"}}))
    gone = MirrordError("us", "The session ended before it was ready.", "Try again.")
    start.session.script = lambda told: gone if isinstance(told, Leave) else None
    with pytest.raises(MirrordError, match="Not found"):
        start(JOB, found())


def test_a_watch_that_breaks_once_it_runs(start: Start, server: ApiServer) -> None:
    """The session has the last word."""
    server.tell(PODS, "ADDED", pod(RUNNING))
    server.tell(PODS, "ERROR", failure(403, "you may not watch any more", "Forbidden"))
    before = threading.enumerate()  # other tests' watches may not have ended

    def answer_late() -> None:
        """When the watch has ended, and what it said was taken in."""
        for thread in threading.enumerate():
            if thread not in before and "(_watch)" in thread.name:
                thread.join()
        enough = start.session.looks + 2
        while start.session.looks < enough:  # pytest's time-out bounds it
            os.sched_yield()
        start.session.answer(READY)

    answers = threading.Thread(target=answer_late)
    start.session.script = lambda told: answers.start() if isinstance(told, Runs) else None

    start(JOB, found())
    answers.join()
    assert start.told == ["Began", "Meet", "Runs"]


# ---------------------------------------------------------------------------------------------- unmet


def test_an_agent_that_broke_off_is_told_of_by_the_cluster(start: Start, server: ApiServer) -> None:
    """Which takes a moment."""
    ended = {"terminated": {"exitCode": 2, "reason": "Error", "message": "error: unrecognized arguments: --listen"}}
    server.tell(PODS, "ADDED", pod(RUNNING))

    def end(told: Instruction) -> Answer | None:
        if isinstance(told, Runs):
            threading.Timer(0.3, server.tell, (PODS, "MODIFIED", pod(ended, phase="Failed"))).start()
            return UNMET
        return None

    start.session.script = end
    with pytest.raises(MirrordError, match="unrecognized arguments") as caught:
        start(JOB, found())

    assert "image of the same version" in caught.value.next_step


def test_an_agent_that_is_not_met(start: Start, server: ApiServer) -> None:
    ended = {"terminated": {"exitCode": 70, "reason": "Error", "message": "{}\nValueError: 3"}}
    server.answer("GET", AGENT, (200, pod(ended)))
    server.tell(PODS, "ADDED", pod(RUNNING))
    start.session.script = lambda told: UNMET if isinstance(told, Meet) else None
    with pytest.raises(RungRefused) as caught:
        start(JOB, found())

    assert caught.value.refusal.text == "The agent failed before it answered. It said: ValueError: 3."
    assert (caught.value.refusal.category, caught.value.refusal.next_step) == ("us", "Look into the log.")
    assert len(deletions(server)) == 1


@pytest.mark.parametrize("answer", [(200, pod(RUNNING)), (404, failure(404, "gone", "NotFound"))])
def test_last_words_that_there_are_not(start: Start, server: ApiServer, answer: tuple[int, Json]) -> None:
    server.answer("GET", AGENT, answer)
    server.tell(PODS, "ADDED", pod(RUNNING))
    start.session.script = lambda told: UNMET if isinstance(told, Meet) else None
    with pytest.raises(RungRefused) as caught:
        start(JOB, found())

    assert caught.value.refusal.text == UNMET.text


@pytest.mark.parametrize("state", [CREATING, RUNNING])
def test_the_way_to_it_is_the_same_for_all_agents(start: Start, server: ApiServer, state: Json) -> None:
    server.answer("GET", AGENT, (200, pod(state)))
    server.tell(PODS, "ADDED", pod(state))
    unmet = Unmet("cluster", "The cluster doesn't let you connect to it.", "It takes a right.", unreached=True)
    start.session.script = lambda told: unmet if isinstance(told, Meet) else None
    with pytest.raises(MirrordError) as caught:
        start(JOB, found())

    assert (caught.value.text, caught.value.next_step) == (unmet.text, unmet.next_step)


def test_an_agent_that_ended_before_it_was_reached(start: Start, server: ApiServer) -> None:
    """It said why: another kind may do."""
    ended = {"terminated": {"exitCode": 69, "reason": "Error", "message": "The target can't be looked into."}}
    server.answer("GET", AGENT, (200, pod(ended)))
    server.tell(PODS, "ADDED", pod(RUNNING))
    unmet = Unmet("cluster", "No port-forward to pod x: its sandbox is gone.", "Start anew.", unreached=True)
    start.session.script = lambda told: unmet if isinstance(told, Runs) else None
    with pytest.raises(RungRefused, match="The target can't be looked into"):
        start(JOB, found())
