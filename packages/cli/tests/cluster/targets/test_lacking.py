"""What is said of a target that isn't there, may not be looked at, or has no pods."""

from __future__ import annotations

from typing import Any

import pytest

from cluster_objects import Cluster, metadata, pod, several, workload
from mirrord_cli.cluster.targets.asking import Answer, Refusal
from mirrord_cli.cluster.targets.lacking import by_likeness, likeness, no_pods
from mirrord_cli.cluster.targets.machine import finding
from mirrord_cli.config.target import ClusterTarget, parse_target
from mirrord_cli.errors import MirrordError

NAMESPACES = "/api/v1/namespaces"
PODS = f"{NAMESPACES}/shop/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/shop/deployments"
NO = Refusal(403, 'deployments.apps "web" is forbidden: User "joe" cannot get it.')


def named(*names: str) -> Answer:
    return several(*({"metadata": metadata(name)} for name in names))


def fail(name: str, objects: dict[str, Answer]) -> tuple[MirrordError, list[list[str]]]:
    target, cluster = parse_target(name), Cluster({f"{NAMESPACES}/shop": {}, **objects})
    assert isinstance(target, ClusterTarget)
    with pytest.raises(MirrordError) as caught:
        cluster.play(finding(target, "shop"))
    return caught.value, cluster.rounds


# ---------------------------------------------------------------------------------------------- not there


def test_a_mistyped_name() -> None:
    error, rounds = fail("deployment/wbe", {DEPLOYMENTS: named("db", "web", "cart")})

    assert (error.category, error.text) == ("you", "There is no deployment wbe in namespace shop.")
    assert error.next_step.splitlines() == [
        "Did you mean deployment/web?",
        "Namespace shop has deployment/web, deployment/db, deployment/cart.",
    ]
    assert len(rounds) == 2


def test_a_name_of_another_kind_or_of_another_namespace() -> None:
    objects: dict[str, Answer] = {
        DEPLOYMENTS: named("xyz"),
        "/apis/apps/v1/namespaces/shop/statefulsets/web": workload("web"),
        "/apis/apps/v1/deployments": several({"metadata": {"name": "web", "namespace": "shop-2"}}),
    }
    error, _ = fail("deployment/web", objects)

    assert error.next_step.splitlines() == [
        "There is statefulset/web.",
        "There is one in namespace shop-2: choose with -n.",
        "Namespace shop has deployment/xyz.",
    ]


def test_a_kind_of_which_there_is_none() -> None:
    error, _ = fail("deployment/web", {DEPLOYMENTS: named()})
    assert error.next_step == "Namespace shop has no deployments; `mirrord ls -n shop` lists what it has."

    error, _ = fail("deployment/web", {DEPLOYMENTS: Refusal(403, "no")})
    assert error.next_step == "Look at the name, and at the namespace (-n)."


def test_many_names() -> None:
    error, _ = fail("deployment/zzz", {DEPLOYMENTS: named(*(f"web-{number}" for number in range(20)))})

    assert error.next_step.count("deployment/") == 8
    assert error.next_step.endswith("deployment/web-15 and 12 more.")


def test_a_namespace_that_is_not_there() -> None:
    missing = Refusal(404, "no")
    objects: dict[str, Answer] = {f"{NAMESPACES}/shop": missing, NAMESPACES: named("shops", "default")}

    for name in ("deployment/web", "label/app=web"):
        error, _ = fail(name, {**objects, PODS: several()})
        assert error.text == "There is no namespace shop."
        assert error.next_step.splitlines() == [
            "Did you mean shops (-n shops)?",
            "The cluster has the namespaces shops, default.",
        ]
    error, _ = fail("deployment/web", {f"{NAMESPACES}/shop": missing, NAMESPACES: NO})
    assert error.next_step == "Name another with -n, or another context with --context."


def test_an_api_that_the_cluster_has_not() -> None:
    path = "/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/web"
    error, _ = fail("rollout/web", {path: Refusal(404, "404 page not found", of_object=False)})

    assert error.text == "This cluster has no rollouts: nothing in it serves argoproj.io/v1alpha1."


@pytest.mark.parametrize(
    ("name", "pods", "said"),
    [
        ("label/app=wbe", [{"app": "web"}, {"app": "db"}], "The label app is web, db there."),
        ("label/ap=web", [{"app": "web"}], "None has a label ap."),
        ("label/app=web,tier=x", [{"app": "web"}, {"tier": "x"}], "Each label alone is there, but no pod has all."),
        ("label/app=web", [], "There are no pods in it."),
    ],
)
def test_labels_that_no_pod_has(name: str, pods: list[Any], said: str) -> None:
    there = several(*(pod(f"p{number}", labels=labels) for number, labels in enumerate(pods)))
    error, rounds = fail(name, {PODS: there, f"{PODS}?{name.removeprefix('label/')}": several()})

    assert error.text.startswith("No pod in namespace shop has the label")
    assert error.next_step == said
    assert len(rounds) == 2


# ---------------------------------------------------------------------------------------------- refused


def test_a_right_that_is_missing() -> None:
    error, _ = fail("deployment/web", {f"{DEPLOYMENTS}/web": NO, PODS: Refusal(403, "no")})

    assert error.category == "cluster"
    assert error.text == (
        'You may not get deployments in namespace shop: deployments.apps "web" is forbidden: User "joe" cannot get it.'
    )
    assert error.next_step == (
        "Have the right to get deployments (API group apps) there given to you; `mirrord rbac -n shop` prints the Role."
        "\nOr name another namespace (-n): this one needn't exist, you aren't told."
    )


def test_pods_that_may_be_looked_at_in_place_of_their_workload() -> None:
    pods = several(
        pod("web-5d-1", owner={"metadata": metadata("web-5d")}),
        pod("web-0", owner={"metadata": metadata("web")}),
        pod("web-a-5d-1", owner={"metadata": metadata("web-a-5d")}),
        pod("other"),
    )
    error, _ = fail("deployment/web", {f"{DEPLOYMENTS}/web": NO, PODS: pods})

    assert error.next_step.splitlines()[1] == (
        "Pods you may look at, so that one of them can be the target: pod/web-5d-1, pod/web-0."
    )


def test_another_refusal() -> None:
    error, _ = fail("deployment/web", {f"{DEPLOYMENTS}/web": Refusal(500, "etcd is tired.")})

    assert error.text == "The cluster doesn't answer as to the deployments of namespace shop: etcd is tired."


# ---------------------------------------------------------------------------------------------- without pods


def without(name: str, spec: Any = None, status: Any = None) -> MirrordError:
    target = parse_target(name)
    assert isinstance(target, ClusterTarget)
    return no_pods(target, "shop", {"metadata": metadata("x"), "spec": spec or {}, "status": status or {}})


@pytest.mark.parametrize(
    ("name", "spec", "status", "said"),
    [
        ("deployment/x", {"replicas": 0}, {}, "deployment/x has no pods: it is scaled to 0."),
        ("statefulset/x", {"replicas": 1}, {}, "statefulset/x has no pods."),
        (
            "deployment/x",
            {"replicas": 1},
            {
                "conditions": [
                    {"type": "Progressing", "status": "True", "message": "fine"},
                    {
                        "type": "ReplicaFailure",
                        "status": "True",
                        "reason": "FailedCreate",
                        "message": "exceeded quota.",
                    },
                    {"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable"},
                ]
            },
            "deployment/x has no pods (FailedCreate: exceeded quota; MinimumReplicasUnavailable).",
        ),
        (
            "daemonset/x",
            {},
            {"desiredNumberScheduled": 0},
            "daemonset/x has no pods: no node is one of its.",
        ),
        ("job/x", {"suspend": True}, {}, "job/x is suspended."),
        ("job/x", {}, {"conditions": [{"type": "Complete", "status": "True"}]}, "job/x has ended (Complete)."),
        ("job/x", {}, {}, "job/x has no pods."),
        ("cronjob/x", {"suspend": True}, {}, "cronjob/x is suspended."),
        ("cronjob/x", {}, {}, "cronjob/x has no Job that runs now."),
        (
            "cronjob/x",
            {},
            {"lastScheduleTime": "2026-01-01T00:00:00Z"},
            "cronjob/x has no Job that runs now; the last was started at 2026-01-01T00:00:00Z.",
        ),
        (
            "service/x",
            {"selector": {"app": "x"}},
            {},
            "service/x selects no pods: none in namespace shop has the label app=x.",
        ),
    ],
)
def test_what_has_no_pods(name: str, spec: Any, status: Any, said: str) -> None:
    error = without(name, spec, status)

    assert (error.category, error.text) == ("cluster", said)
    assert error.next_step.endswith((".", "NAME", name))


# ---------------------------------------------------------------------------------------------- likeness


def test_the_most_alike_come_first_and_once() -> None:
    assert by_likeness("web", ["db", "web-2", "wbe", "db"]) == ["web-2", "wbe", "db"]
    assert likeness("a", "a") == 1
