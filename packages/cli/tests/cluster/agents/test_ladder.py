"""Which agents are tried, in which order, and what is told of those that couldn't be."""

from __future__ import annotations

from typing import Any

import pytest

from cluster_pods import found
from mirrord_cli.cluster.agents.ladder import Refusal, Rung, none_left, notices, rungs
from mirrord_cli.config.agent_keys import Agent
from mirrord_cli.errors import MirrordError
from mirrord_cli.session.settings import IncomingMode, IncomingRules, NetworkRules

OFF = NetworkRules(incoming=IncomingRules(mode=IncomingMode.OFF))
NO_PORTS = NetworkRules(incoming=IncomingRules(mode=IncomingMode.STEAL, ports=(), required=True))
WANTED = NetworkRules()
"""What nobody says: mirror."""
REQUIRED = NetworkRules(incoming=IncomingRules(mode=IncomingMode.STEAL, required=True))

FULL, JOB, BASELINE, RESTRICTED = (
    "ephemeral full incoming",
    "job full incoming",
    "ephemeral baseline",
    "ephemeral restricted",
)
PLAIN_JOB = "job full"


def names(ladder: list[Rung]) -> list[str]:
    """Each rung in a word or three; what is refused beforehand is left out."""
    return [
        " ".join(filter(None, (rung.mode, rung.level, "incoming" if rung.incoming else "")))
        for rung in ladder
        if not rung.refused
    ]


@pytest.mark.parametrize(
    ("mode", "network", "expected"),
    [
        ("auto", WANTED, [FULL, JOB, BASELINE, RESTRICTED]),
        ("auto", REQUIRED, [FULL, JOB]),
        ("auto", OFF, [BASELINE, RESTRICTED, PLAIN_JOB]),
        ("auto", NO_PORTS, [BASELINE, RESTRICTED, PLAIN_JOB]),
        ("ephemeral", WANTED, [FULL, BASELINE, RESTRICTED]),
        ("ephemeral", REQUIRED, [FULL]),
        ("ephemeral", OFF, [BASELINE, RESTRICTED]),
        ("job", WANTED, [JOB]),
        ("job", REQUIRED, [JOB]),
        ("job", OFF, [PLAIN_JOB]),
    ],
)
def test_order(mode: Any, network: NetworkRules, expected: list[str]) -> None:
    assert names(rungs(Agent(mode=mode), found(), network)) == expected


def test_without_a_target() -> None:
    assert rungs(Agent(privileged=True), None, WANTED) == [Rung(mode="job", level="restricted")]


def test_what_lacks_what_was_asked_for_is_refused_with_the_reason() -> None:
    *_, baseline, restricted = rungs(Agent(), found(), REQUIRED)

    assert "which you asked for" in baseline.refused
    assert "incoming.mode off" in baseline.next_step
    assert baseline.refused == restricted.refused


@pytest.mark.parametrize(
    ("agent", "target", "category", "word"),
    [
        (Agent(), {"host_network": True}, "you", "node's network"),
        (Agent(disabled_capabilities=["NET_ADMIN"]), {}, "configuration", "disabled_capabilities"),
    ],
)
def test_where_no_agent_may_have_what_comes(agent: Agent, target: dict[str, Any], category: str, word: str) -> None:
    ladder = rungs(agent, found(**target), WANTED)
    assert names(ladder) == [BASELINE, RESTRICTED, PLAIN_JOB]
    assert all(word in rung.warning for rung in ladder)
    assert not any(rung.warning for rung in rungs(agent, found(**target), OFF))

    with pytest.raises(MirrordError, match=word) as caught:
        rungs(agent, found(**target), REQUIRED)
    assert caught.value.category == category
    assert "incoming.mode off" in caught.value.next_step


@pytest.mark.parametrize(("user", "word"), [(None, "image's"), (0, "root")])
def test_a_user_that_an_agent_without_rights_cannot_be(user: int | None, word: str) -> None:
    ladder = rungs(Agent(), found(user_id=user), OFF)

    assert names(ladder) == [BASELINE, PLAIN_JOB]
    assert word in ladder[1].refused


def test_privileged_only_where_asked_and_only_with_full_rights() -> None:
    assert not any(rung.privileged for rung in rungs(Agent(), found(), WANTED))

    ladder = rungs(Agent(privileged=True), found(), OFF)
    assert [(rung.mode, rung.level, rung.privileged) for rung in ladder] == [
        ("ephemeral", "full", True),
        ("job", "full", True),
        ("ephemeral", "baseline", False),
        ("ephemeral", "restricted", False),
    ]


def test_not_privileged_where_that_would_bring_ports_of_a_node() -> None:
    ladder = rungs(Agent(privileged=True), found(host_network=True), WANTED)

    assert not any(rung.privileged or rung.incoming for rung in ladder)
    assert all(rung.warning.endswith("So the agent is not privileged.") for rung in ladder)
    assert any(rung.privileged for rung in rungs(Agent(privileged=True), found(host_network=True), OFF))


def test_names_tell_rungs_apart() -> None:
    ladders = [
        rungs(Agent(privileged=privileged), target, WANTED)
        for privileged in (False, True)
        for target in (found(), None)
    ]
    everyone = {rung for ladder in ladders for rung in ladder}

    assert len({rung.name for rung in everyone}) == len(everyone) == 7


def test_notices() -> None:
    """One for each reason, without the rights that Pod Security lists one by one."""
    full, job, baseline, _ = rungs(Agent(), found(), WANTED)
    security = 'Violates PodSecurity "restricted:latest": {}=true, much more (container "a: b" must not include it).'
    refusals = [
        Refusal(full, security.format("hostPID")),
        Refusal(job, "Exceeded quota: small, requested: pods=1."),
        Refusal(baseline, security.format("runAsUser")),
    ]

    first = "An ephemeral container with NET_ADMIN and an ephemeral container without NET_ADMIN couldn't be the agent: "
    assert notices(refusals) == (
        first + 'Violates PodSecurity "restricted:latest".',
        "A Job on the target's node couldn't be the agent: Exceeded quota: small, requested: pods=1.",
    )
    assert notices([]) == ()


def test_none_left() -> None:
    full, job = rungs(Agent(), found(), REQUIRED)[:2]
    error = none_left([Refusal(full, "Too much.", "cluster", "Ask."), Refusal(job, "No room.", "cluster", "Ask.")])

    assert error.text.splitlines() == [
        "No agent can be started:",
        "- an ephemeral container with NET_ADMIN: Too much.",
        "- a Job on the target's node: No room.",
    ]
    assert (error.category, error.next_step) == ("cluster", "Ask.")


def test_none_left_for_the_same_reason() -> None:
    ladder = rungs(Agent(), found(), OFF)

    text = none_left([Refusal(rung, "No.") for rung in ladder]).text
    assert text.count("\n- ") == text.count("No.") == 1
    assert all(rung.name in text for rung in ladder)


def test_none_left_of_one() -> None:
    [rung] = rungs(Agent(mode="job"), found(), WANTED)
    error = none_left([Refusal(rung, "No such account.", "configuration", "Name another.")])

    assert error.text == "No agent can be started:\n- a Job on the target's node: No such account."
    assert (error.category, error.next_step) == ("configuration", "Name another.")


def test_none_left_of_different_kinds() -> None:
    first, second = (Rung(mode="job", level="full"), Rung(mode="ephemeral", level="full"))
    error = none_left([Refusal(first, "A.", "you", "Do this."), Refusal(second, "B.", "configuration", "Do that.")])

    assert (error.category, error.next_step) == ("cluster", "Do this.\nDo that.")
