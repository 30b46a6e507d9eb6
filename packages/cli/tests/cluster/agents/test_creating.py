"""What is created is created once, or isn't there: answers that were lost, and changes that came in between."""

from __future__ import annotations

import pytest

from agent_starts import FULL, JOB, JOBS, PARTS, PODS, RUNNING, Start, deletions
from cluster_pods import found, pod
from mirrord_cli.cluster.agents.ladder import Rung
from mirrord_cli.cluster.objects import Json
from mirrord_cli.errors import MirrordError
from scripted_server import ApiServer, Asked, failure


def test_a_creation_whose_answer_was_lost(start: Start, server: ApiServer) -> None:
    server.refuse("POST", JOBS, 409, 'jobs.batch "mirrord-agent-abc" already exists', "AlreadyExists")
    server.tell(PODS, "ADDED", pod(RUNNING))

    assert start(JOB, found()).pod == "mirrord-agent-abc-xyz12"


@pytest.mark.parametrize(("rung", "method", "path"), [(JOB, "POST", JOBS), (FULL, "PATCH", PARTS)])
def test_a_creation_that_meets_another_change(
    start: Start, server: ApiServer, rung: Rung, method: str, path: str
) -> None:
    """A quota that two Jobs count at once, as the API server says it: 409, and nothing was created."""

    def first_no(asked: Asked) -> tuple[int, Json]:
        if server.methods().count(f"{method} {path}") == 1:
            return 409, failure(409, 'Operation cannot be fulfilled on resourcequotas "small"', "Conflict")
        for each in (asked.body or {})["spec"].get("ephemeralContainers", [{"name": "mirrord-agent"}]):
            seen = pod(RUNNING, name="web-5d8", ephemeral=rung == FULL, container=each["name"], uid="11-22")
            server.tell(PODS, "ADDED", seen)
        return 201, asked.body or {}

    server.answer(method, path, first_no)
    assert start(rung, found()).pod == "web-5d8"


def test_a_quota_that_is_never_quiet(start: Start, server: ApiServer) -> None:
    server.refuse("POST", JOBS, 409, 'Operation cannot be fulfilled on resourcequotas "small"', "Conflict")

    with pytest.raises(MirrordError, match="Operation cannot be fulfilled"):
        start(JOB, found())


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (404, 'pods "web-5d8" not found'),
        (422, 'Pod "web-5d8" is invalid: metadata.uid: Invalid value: "11-22": field is immutable'),
    ],
)
def test_a_target_that_was_replaced(start: Start, server: ApiServer, status: int, message: str) -> None:
    """No other agent can have it either."""
    server.refuse("PATCH", PARTS, status, message, "NotFound")

    with pytest.raises(MirrordError, match="pod web-5d8 was removed"):
        start(FULL, found())


def test_an_answer_that_a_gateway_gave(start: Start, server: ApiServer) -> None:
    """Nobody knows whether the Job was created: it is removed."""
    server.refuse("POST", JOBS, 504, "gateway timeout", "")
    with pytest.raises(MirrordError, match="ateway timeout"):
        start(JOB, found())

    assert len(deletions(server)) == 1
