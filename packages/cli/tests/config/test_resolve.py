"""The configuration as a whole."""

from __future__ import annotations

from typing import Any

import pytest

from mirrord_cli.config.resolve import Resolved, resolve, said_of
from mirrord_cli.config.target import ClusterTarget


def resolved(tree: Any, options: dict[str, str] | None = None, variables: dict[str, str] | None = None) -> Resolved:
    outcome = resolve(tree, said_of(options or {}, variables or {}), variables or {})
    assert outcome.resolved, outcome.problems
    return outcome.resolved


def problems(tree: Any, options: dict[str, str] | None = None) -> list[str]:
    outcome = resolve(tree, said_of(options or {}, {}), {})
    assert outcome.resolved is None
    return [problem.text for problem in outcome.problems]


def test_nothing_said() -> None:
    found = resolved({})

    assert found.target is None
    assert found.config.feature.fs.mode == "read"
    assert found.warnings == ()


def test_the_target_is_a_pid_or_in_a_cluster() -> None:
    assert resolved({"target": "process/4711"}).target == 4711
    assert resolved({"target": {"deployment": "x", "container": "c"}}).target == ClusterTarget("deployment", "x", "c")
    assert problems({"target": "pod/X"})[0].startswith("The target 'pod/X': 'X' is no pod's name: ")
    assert problems({"target": "4711"}) == ["The target '4711' has no kind; did you mean process/4711?"]


def test_patterns_are_pythons() -> None:
    fs = resolved(
        {"feature": {"fs": {"local": "(?<x>a)", "mapping": {"^/(?<n>a)": "/${n}", "b": "c"}}}}
    ).config.feature.fs

    assert fs.local == ["(?P<x>a)"]
    assert list(fs.mapping.items()) == [("^/(?P<n>a)", "/${n}"), ("b", "c")]


@pytest.mark.parametrize("place", ["read_only", "local", "not_found"])
def test_patterns_that_cannot_be(place: str) -> None:
    assert problems({"feature": {"fs": {place: ["ok", "("]}}})[0].startswith(f"feature.fs.{place}: the pattern '('")


def test_mappings_that_cannot_be() -> None:
    assert "feature.fs.mapping: the pattern '('" in problems({"feature": {"fs": {"mapping": {"(": "x"}}}})[0]
    assert "the replacement '$1'" in problems({"feature": {"fs": {"mapping": {"x": "$1"}}}})[0]
    assert "feature.env.mapping: the pattern '['" in problems({"feature": {"env": {"mapping": {"[": "$1"}}}})[0]
    assert resolved({"feature": {"env": {"mapping": {"x": "$1"}}}}).config.feature.env.mapping == {"x": "$1"}


def test_include_and_exclude() -> None:
    text = "Both include and exclude of feature.env are given, and only one can be."
    assert problems({"feature": {"env": {"include": "A", "exclude": "B"}}}) == [text]
    assert problems({"feature": {"env": {"include": "A"}}}, {"feature.env.exclude": "B"}) == [text]
    assert resolved({"feature": {"env": {"include": "A", "exclude": []}}}).config.feature.env.include == ["A"]


@pytest.mark.parametrize("name", ["", "A=B"])
def test_names_that_no_variable_has(name: str) -> None:
    assert problems({"feature": {"env": {"override": {name: "x"}}}}) == [
        f"feature.env.override: {name!r} is no variable's name."
    ]


def test_skipped_programs() -> None:
    assert "gcc" in resolved({}).skipped_programs
    assert resolved({"skip_build_tools": False, "skip_processes": ["a"]}).skipped_programs == ("a",)
    assert {"a", "b", "gcc"} <= set(resolved({"skip_processes": "a", "skip_extra_build_tools": "b"}).skipped_programs)


def test_warnings() -> None:
    (warning,) = resolved({}, variables={"MIRRORD_CI_API_KEY": "x"}).warnings
    assert "MIRRORD_CI_API_KEY" in warning
    (warning,) = resolved({"feature": {"fs": {"mode": "local", "read_only": "x"}}}).warnings
    assert "no effect" in warning
