"""The agent's keys together, and with the target."""

from __future__ import annotations

from typing import Any

import pytest

from mirrord_cli import VERSION
from mirrord_cli.config.agent_keys import Agent, Profile
from mirrord_cli.config.resolve import Resolved, resolve, said_of


def resolved(tree: Any, options: dict[str, str] | None = None, **variables: str) -> Resolved:
    outcome = resolve(tree, said_of(options or {}, variables), variables)
    assert outcome.resolved, outcome.problems
    return outcome.resolved


def agent(tree: Any = None, **variables: str) -> Agent:
    return resolved({"agent": tree or {}}, None, **variables).config.agent


def problems(tree: Any, options: dict[str, str] | None = None) -> list[str]:
    outcome = resolve(tree, said_of(options or {}, {}), {})
    assert outcome.resolved is None
    return [problem.text for problem in outcome.problems]


# ---------------------------------------------------------------------------------------------- what follows


def test_nothing_said() -> None:
    assert agent() == Agent()


@pytest.mark.parametrize(
    ("said", "mode", "ephemeral"),
    [
        ({}, "auto", None),
        ({"mode": "auto"}, "auto", None),
        ({"mode": "job"}, "job", False),
        ({"mode": "ephemeral"}, "ephemeral", True),
        ({"ephemeral": True}, "ephemeral", True),
        ({"ephemeral": False}, "job", False),
        ({"mode": "auto", "ephemeral": True}, "ephemeral", True),
        ({"mode": "job", "ephemeral": False}, "job", False),
    ],
)
def test_the_mode_is_one(said: Any, mode: str, ephemeral: bool | None) -> None:
    found = agent(said)

    assert (found.mode, found.ephemeral) == (mode, ephemeral)


def test_the_word_that_is_nearer_to_the_user_counts() -> None:
    """The option, or the variable, overrides the file's other word for the same thing."""
    by_option = resolved({"agent": {"mode": "job"}}, {"agent.ephemeral": "true"}).config.agent
    by_variable = agent({"ephemeral": True}, MIRRORD_AGENT_MODE="job")

    assert (by_option.mode, by_variable.mode) == ("ephemeral", "job")


def test_modes_that_contradict_each_other() -> None:
    text = "agent.ephemeral is true and agent.mode is job: they contradict each other."
    assert problems({"agent": {"mode": "job", "ephemeral": True}}) == [text]
    said = said_of({"agent.ephemeral": "true"}, {"MIRRORD_AGENT_MODE": "job"})
    assert [problem.text for problem in resolve({}, said, {}).problems] == [text]
    assert len(problems({"agent": {"mode": "ephemeral", "ephemeral": False}})) == 1


def test_the_image_and_its_parts() -> None:
    parts = {"MIRRORD_AGENT_IMAGE_REGISTRY": "r.test/x", "MIRRORD_AGENT_IMAGE_TAG": "2"}

    assert agent().image is None
    assert agent(**parts).image == "r.test/x:2"
    assert agent(MIRRORD_AGENT_IMAGE_TAG="2").image == "mirrord-agent:2"
    assert agent({"image": {"registry": "y"}}, **parts).image == "y:2"
    assert agent({"image": {"tag": "3"}}).image == "mirrord-agent:3"
    assert agent({"image": {"registry": "y"}}).image == f"y:{VERSION}"
    assert agent({"image": {}}, **parts).image == "r.test/x:2"
    assert agent({"image": "y:1"}, **parts).image == "y:1"
    assert agent({"image": {"registry": "y"}}, MIRRORD_AGENT_IMAGE="z", **parts).image == "z"


def test_parts_of_an_image_that_cannot_be() -> None:
    found = resolve({}, {}, {"MIRRORD_AGENT_IMAGE_TAG": "a b"})

    assert [problem.text for problem in found.problems] == [
        "The variable MIRRORD_AGENT_IMAGE_TAG: 'a b': it is no image's tag."
    ]


# ---------------------------------------------------------------------------------------------- mistakes


TARGETLESS = {"target": "targetless"}


def test_without_a_target_nothing_is_stolen_and_there_is_no_pod_to_join() -> None:
    steal = {"feature": {"network": {"incoming": "steal"}}}

    (problem,) = problems(TARGETLESS | steal)
    assert problem == "feature.network.incoming.mode: nothing can be stolen, since the target is targetless."
    assert len(problems(TARGETLESS, {"feature.network.incoming.mode": "steal"})) == 1
    (problem,) = problems(TARGETLESS | {"agent": {"ephemeral": True}})
    assert problem.startswith("agent.mode: ephemeral needs a pod")
    assert resolved(TARGETLESS).warnings == ()
    # A target that isn't named may follow.
    assert resolved(steal | {"agent": {"ephemeral": True}}).warnings == ()


def test_profiles() -> None:
    def profile(value: Any) -> Any:
        return {"agent": {"security_context": {"seccomp_profile": value}}}

    assert problems(profile({"type": "Localhost"}))[0].startswith(
        "agent.security_context.seccomp_profile.localhost_profile is missing"
    )
    assert problems(profile({"type": "Unconfined", "localhost_profile": "x"}))[0].endswith(
        "is for the type Localhost alone."
    )
    found = resolved(profile({"type": "Localhost", "localhost_profile": "x"})).config.agent.security_context
    assert found.seccomp_profile == Profile(type="Localhost", localhost_profile="x")


def test_repetitions_wait_no_less_than_the_least() -> None:
    assert problems({"startup_retry": {"min_ms": 6000}}) == [
        "startup_retry.min_ms is 6000, and startup_retry.max_ms, which can't be less, is 5000."
    ]
    assert problems({"startup_retry": {"max_ms": 499}})
    assert resolved({"startup_retry": {"min_ms": 1, "max_ms": 1, "max_retries": 0}}).config.startup_retry.min_ms == 1


# ---------------------------------------------------------------------------------------------- warnings


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        (TARGETLESS | {"agent": {"namespace": "n"}}, "agent.namespace has no effect without a target"),
        (
            {"agent": {"ephemeral": True, "namespace": "n", "ttl": 1}},
            "agent.namespace and agent.ttl: no effect on an ephemeral container",
        ),
        (
            {"target": "pod/x", "agent": {"node_selector": {"a": "b"}}},
            "agent.node_selector has no effect with a target",
        ),
        ({"target": {"path": "process/1", "namespace": "n"}}, "target.namespace has no effect: process/1 is a process"),
    ],
)
def test_warnings(tree: Any, said: str) -> None:
    (warning,) = resolved(tree).warnings
    assert said in warning


def test_what_has_an_effect_has_no_warning() -> None:
    assert resolved(TARGETLESS | {"agent": {"node_selector": {"a": "b"}}}).warnings == ()
    assert resolved({"target": "pod/x", "agent": {"mode": "job", "namespace": "n"}}).warnings == ()
    assert resolved({"target": {"path": "pod/x", "namespace": "n"}}).warnings == ()
    assert (
        resolved({"target": "pod/x", "agent": {"ephemeral": True, "image": "x", "log_level": "debug"}}).warnings == ()
    )
