"""The names that lists give, and which may be chosen."""

from __future__ import annotations

from typing import Any

import pytest

from cluster_objects import metadata, pod
from mirrord_cli.cluster.targets.kinds import KINDS
from mirrord_cli.cluster.targets.listing import OWN, Listed, asked_kinds, asking, targets, wanted_kinds


def listed(word: str, *objects: Any, pods: Any = None) -> list[tuple[str, bool]]:
    lists = {word: list(objects)} | ({"pod": pods} if pods is not None else {})
    return [(target.path, target.available) for target in targets([word], lists)]


def test_the_order_is_always_the_same() -> None:
    assert wanted_kinds(["pod", "deployment"]) == ("deployment", "pod")
    assert wanted_kinds([]) == tuple(KINDS) == (
        "deployment", "rollout", "statefulset", "daemonset", "cronjob", "job", "service", "replicaset", "pod",
    )  # fmt: skip
    assert asked_kinds(["service"]) == ("service", "pod")
    assert asked_kinds(["deployment"]) == ("deployment",)
    lists = {"pod": [pod()], "deployment": [{"metadata": metadata("web")}]}
    assert list(targets(("deployment", "pod"), lists)) == [Listed("deployment/web", False), Listed("pod/web-1", True)]


def test_agents_are_no_targets() -> None:
    assert dict(asking("job", "shop").query) == {"labelSelector": OWN, "limit": "500"}
    assert dict(asking("pod", "shop").query)["fieldSelector"] == "status.phase=Running"


@pytest.mark.parametrize(
    ("word", "status", "available"),
    [
        ("deployment", {"replicas": 1, "availableReplicas": 1}, True),
        ("deployment", {"replicas": 1}, False),
        ("rollout", {"availableReplicas": 2}, True),
        ("statefulset", {"availableReplicas": 0, "readyReplicas": 1}, False),
        ("statefulset", {"readyReplicas": 1}, True),
        ("daemonset", {"numberReady": 0}, False),
        ("replicaset", {"readyReplicas": 1}, True),
        ("job", {"active": 1, "ready": 0}, False),
        ("job", {"active": 1}, True),
        ("job", {"succeeded": 1}, False),
        ("cronjob", {"active": [{"name": "x"}]}, True),
        ("cronjob", {}, False),
    ],
)
def test_what_runs(word: str, status: Any, available: bool) -> None:
    assert listed(word, {"metadata": metadata("x"), "status": status}) == [(f"{word}/x", available)]


def test_pods() -> None:
    found = listed(
        "pod",
        pod("a"),
        pod("b", {"web": "running"}),
        pod("c", {"x": "ready", "y": "ready"}),
        pod("d", deletionTimestamp="x"),
    )

    assert found == [
        ("pod/a", True), ("pod/b", False), ("pod/c/container/x", True), ("pod/c/container/y", True), ("pod/d", False),
    ]  # fmt: skip


def test_a_service_is_served_by_a_pod_that_is_ready() -> None:
    service = {"metadata": metadata("web"), "spec": {"selector": {"app": "web"}}}

    assert listed("service", service, pods=[pod(labels={"app": "web", "x": "y"})]) == [("service/web", True)]
    assert listed("service", service, pods=[pod(labels={"app": "x"}), pod()]) == [("service/web", False)]
    assert listed("service", service, pods=[pod(containers={"a": "running"}, labels={"app": "web"})]) == [
        ("service/web", False)
    ]
    assert listed("service", service) == [("service/web", True)]  # pods may not be listed
    assert listed("service", {"metadata": metadata("web"), "spec": {}}) == [("service/web", False)]
