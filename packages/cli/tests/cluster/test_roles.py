"""The least Role, as YAML that says what a cluster is to allow."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from mirrord_cli.cluster.agents import rights as of_agents
from mirrord_cli.cluster.objects import Json
from mirrord_cli.cluster.rights import Right
from mirrord_cli.cluster.roles import Subject, Wanted, merge, roles
from mirrord_cli.cluster.targets import rights as of_targets


def documents(**wanted: Any) -> list[Json]:
    return list(yaml.safe_load_all(roles(Wanted(**wanted))))


def granted(role: Json) -> set[tuple[str, str, str]]:
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def needed(*rights: Right) -> set[tuple[str, str, str]]:
    return {(right.group, right.resource, verb) for right in rights for verb in right.verbs}


@pytest.mark.parametrize(
    ("wanted", "rights"),
    [
        ({}, (*of_targets.RIGHTS, *of_agents.EPHEMERAL, *of_agents.JOB, *of_agents.ANY)),
        ({"mode": "job"}, (*of_targets.RIGHTS, *of_agents.JOB, *of_agents.ANY)),
        ({"mode": "ephemeral"}, (*of_targets.RIGHTS, *of_agents.EPHEMERAL, *of_agents.ANY)),
        ({"targetless": True}, (*of_agents.JOB, *of_agents.ANY)),
    ],
)
def test_one_role(wanted: Any, rights: tuple[Right, ...]) -> None:
    [role] = documents(namespace="shop", **wanted)

    assert (role["kind"], role["apiVersion"]) == ("Role", "rbac.authorization.k8s.io/v1")
    assert role["metadata"] == {"name": "mirrord", "namespace": "shop"}
    assert granted(role) == needed(*rights)


def test_each_rule_says_why() -> None:
    lines = roles(Wanted()).splitlines()
    rules = [number for number, line in enumerate(lines) if line.startswith("  - apiGroups")]

    assert len(rules) > 5
    assert all(lines[number - 1].startswith("  # ") and lines[number - 1].endswith(".") for number in rules)


def test_no_object_has_two_rules() -> None:
    [role] = documents()
    objects = [(*rule["apiGroups"], resource) for rule in role["rules"] for resource in rule["resources"]]

    assert len(objects) == len(set(objects))


def test_jobs_elsewhere() -> None:
    target, agent = documents(namespace="shop", agent_namespace="agents")

    assert (target["metadata"]["namespace"], agent["metadata"]["namespace"]) == ("shop", "agents")
    assert granted(target) == needed(*of_targets.RIGHTS, *of_agents.EPHEMERAL, *of_agents.ANY)
    assert granted(agent) == needed(*of_agents.JOB, *of_agents.ANY)

    target, agent = documents(namespace="shop", agent_namespace="agents", mode="job")
    assert granted(target) == needed(*of_targets.RIGHTS)
    [only] = documents(namespace="shop", agent_namespace="agents", mode="ephemeral")
    assert only["metadata"]["namespace"] == "shop"
    [only] = documents(agent_namespace="agents", targetless=True)
    assert only["metadata"]["namespace"] == "agents"


def test_in_no_namespace_where_none_is_named() -> None:
    """Then it is created where whoever applies it is."""
    [role] = documents()

    assert "namespace" not in role["metadata"]


def test_everywhere() -> None:
    role, binding = documents(everywhere=True, subjects=(Subject("User", "alice"),))

    assert (role["kind"], binding["kind"]) == ("ClusterRole", "ClusterRoleBinding")
    assert binding["roleRef"]["kind"] == "ClusterRole"
    assert "namespace" not in role["metadata"] and "namespace" not in binding["metadata"]


def test_subjects() -> None:
    subjects = (Subject("User", "alice: the #1"), Subject("Group", "yes"), Subject("ServiceAccount", "tester", "ci"))
    role, binding = documents(namespace="shop", subjects=subjects, name="least")

    api = "rbac.authorization.k8s.io"
    assert binding["metadata"] == role["metadata"] == {"name": "least", "namespace": "shop"}
    assert binding["roleRef"] == {"apiGroup": api, "kind": "Role", "name": "least"}
    assert binding["subjects"] == [
        {"kind": "User", "name": "alice: the #1", "apiGroup": api},
        {"kind": "Group", "name": "yes", "apiGroup": api},
        {"kind": "ServiceAccount", "name": "tester", "namespace": "ci"},
    ]


def test_rights_are_merged() -> None:
    rights = [
        Right("", "pods", ("get",), "A."),
        Right("", "pods", ("get", "watch"), "B."),
        Right("x", "pods", (), "A."),
    ]

    assert merge(rights) == [Right("", "pods", ("get", "watch"), "A.\nB."), Right("x", "pods", (), "A.")]
