"""What is raised for an agent that comes to nothing: whether another kind may do, and in whose words."""

from __future__ import annotations

import pytest

from agent_starts import FULL, JOB, SECURITY
from mirrord_cli.cluster.agents.agent import ClusterAgent
from mirrord_cli.cluster.agents.outcomes import REFUSALS, RungRefused, for_failed, for_refused
from mirrord_cli.cluster.agents.watching import Failed
from mirrord_cli.cluster.api.machine import Refused
from mirrord_cli.errors import MirrordError

AGENT = ClusterAgent(namespace="shop", pod="web-5d8", container="mirrord-agent-1", port=61001)
WHAT = "POST /apis/batch/v1/namespaces/shop/jobs"


@pytest.mark.parametrize("status", sorted(REFUSALS))
def test_what_is_not_admitted(status: int) -> None:
    raised = for_refused(Refused(status, "Forbidden", SECURITY, WHAT), FULL, AGENT)

    assert isinstance(raised, RungRefused)
    assert raised.refusal.rung == FULL
    assert "Violates PodSecurity" in str(raised)


def test_a_server_in_trouble() -> None:
    raised = for_refused(Refused(507, "", "etcd has no room", WHAT), JOB, AGENT)

    assert isinstance(raised, MirrordError)
    assert raised.text == "The cluster doesn't create the agent: Etcd has no room."


def test_a_pod_that_is_another_by_now() -> None:
    message = 'Pod "web-5d8" is invalid: metadata.uid: Invalid value: "1": field is immutable'
    raised = for_refused(Refused(409, "Conflict", message, WHAT), FULL, AGENT)

    assert isinstance(raised, MirrordError)
    assert "web-5d8 was removed" in raised.text


@pytest.mark.parametrize("refused", [True, False])
def test_what_does_not_run(refused: bool) -> None:
    raised = for_failed(Failed("It ended.", "Look.", "us", refused=refused), JOB)

    if refused:
        assert isinstance(raised, RungRefused)
        assert (raised.refusal.text, raised.refusal.next_step, raised.refusal.category) == ("It ended.", "Look.", "us")
    else:
        assert isinstance(raised, MirrordError)
        assert (raised.text, raised.next_step, raised.category) == ("It ended.", "Look.", "us")
