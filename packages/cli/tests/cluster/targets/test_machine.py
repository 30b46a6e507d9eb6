"""From a target's name to a container, round by round; test_lacking.py has what isn't there."""

from __future__ import annotations

from typing import Any

import pytest

from cluster_objects import ID, Cluster, metadata, pod, several, workload
from mirrord_cli.cluster.targets.asking import Answer, Refusal
from mirrord_cli.cluster.targets.found import FoundTarget
from mirrord_cli.cluster.targets.machine import finding
from mirrord_cli.config.target import ClusterTarget, parse_target
from mirrord_cli.environment.probes import Probe
from mirrord_cli.errors import MirrordError

PODS = "/api/v1/namespaces/shop/pods"
APPS = "/apis/apps/v1/namespaces/shop"
BATCH = "/apis/batch/v1/namespaces/shop"
ROLLOUTS = "/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts"
SERVICES = "/api/v1/namespaces/shop/services"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices"


def find(name: str, objects: dict[str, Answer]) -> tuple[FoundTarget, list[list[str]]]:
    """What is found, and what was asked for it."""
    target, cluster = parse_target(name), Cluster(objects)
    assert isinstance(target, ClusterTarget)
    return cluster.play(finding(target, "shop")), cluster.rounds


def fail(name: str, objects: dict[str, Answer]) -> MirrordError:
    with pytest.raises(MirrordError) as caught:
        find(name, objects)
    return caught.value


# ---------------------------------------------------------------------------------------------- what is told


def test_all_that_is_to_be_known() -> None:
    spec = {
        "nodeName": "node-7",
        "hostNetwork": True,
        "hostUsers": False,
        "shareProcessNamespace": True,
        "securityContext": {"runAsGroup": 3},
        "containers": [
            {
                "name": "web",
                "livenessProbe": {"httpGet": {"port": 80}},
                "securityContext": {
                    "runAsUser": 2, "runAsNonRoot": True, "capabilities": {"add": ["SYS_TIME"], "drop": ["ALL"]}
                },
            }
        ],
    }  # fmt: skip

    assert find("pod/web-1", {f"{PODS}/web-1": pod(spec=spec)})[0] == FoundTarget(
        namespace="shop",
        pod="web-1",
        uid="uid-of-web-1",
        node="node-7",
        container="web",
        container_id=ID,
        containers=("web",),
        user_id=2,
        group_id=3,
        added_capabilities=("SYS_TIME",),
        dropped_capabilities=("ALL",),
        run_as_non_root=True,
        shares_processes=True,
        host_network=True,
        host_users=False,
        probes=(Probe(80, "liveness probe of container web"),),
        workload="pod/web-1",
    )


def test_the_nodes_processes_are_shared_ones_too() -> None:
    assert find("pod/web-1", {f"{PODS}/web-1": pod(spec={"hostPID": True})})[0].shares_processes


def test_warnings() -> None:
    two = {"web": "running", "traffic-agent": "ready"}
    objects: dict[str, Answer] = {PODS: several(pod("a", two), pod("b", {"web": "PodInitializing"}))}

    assert find("label/app=web", objects)[0].warnings == (
        "label/app=web has 2 pods: the target is a alone.",
        "The container web of pod a runs, but isn't ready: its readiness probe doesn't succeed.",
        "Pod a has a traffic-agent of Telepresence, which may take the same connections.",
    )


# ---------------------------------------------------------------------------------------------- each kind


def test_a_pod_takes_one_round() -> None:
    found, rounds = find("pod/web-1/container/log", {f"{PODS}/web-1": pod(containers={"web": "ready", "log": "ready"})})

    assert (found.container, found.workload) == ("log", "pod/web-1/container/log")
    assert rounds == [[f"{PODS}/web-1"]]


def test_labels_take_one_round() -> None:
    found, rounds = find("label/app=web,tier=x", {f"{PODS}?app=web,tier=x": several(pod())})

    assert found.pod == "web-1"
    assert rounds == [[f"{PODS}?app=web,tier=x"]]


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("statefulset", f"{APPS}/statefulsets"),
        ("daemonset", f"{APPS}/daemonsets"),
        ("replicaset", f"{APPS}/replicasets"),
        ("job", f"{BATCH}/jobs"),
    ],
)
def test_what_owns_its_pods_takes_two(kind: str, path: str) -> None:
    owner, other = workload("web", labels={"app": "x"}), workload("other")
    objects: dict[str, Answer] = {
        f"{path}/web": owner,
        f"{PODS}?app=x": several(pod("a", owner=other), pod("b"), pod("c", owner=owner)),
    }
    found, rounds = find(f"{kind}/web", objects)

    assert found.pod == "c"  # the others have the labels alone
    assert found.warnings == ()
    assert rounds == [[f"{path}/web"], [f"{PODS}?app=x"]]


def deployment() -> tuple[dict[str, Answer], Any, Any]:
    owner = workload("web")
    old, new = (
        {"metadata": metadata(f"web-{n}", owner, annotations={"deployment.kubernetes.io/revision": n})}
        for n in ("9", "10")
    )
    objects: dict[str, Answer] = {f"{APPS}/deployments/web": owner, f"{APPS}/replicasets": several(new, old)}
    return objects, old, new


def test_a_deployment_takes_two_and_a_pod_of_its_newest_version_is_preferred() -> None:
    objects, old, new = deployment()
    found, rounds = find("deployment/web", objects | {PODS: several(pod("a", owner=old), pod("b", owner=new))})

    assert found.pod == "b"
    assert found.warnings == ("deployment/web has 2 pods: the target is b alone.",)
    assert rounds == [[f"{APPS}/deployments/web"], [f"{PODS}?app=web", f"{APPS}/replicasets?app=web"]]


def test_an_older_version_that_runs_is_told() -> None:
    objects, old, new = deployment()
    pods = several(pod("a", owner=old), pod("b", {"web": "ErrImagePull"}, owner=new), pod("c", owner=workload("x")))
    found, _ = find("deployment/web", objects | {PODS: pods})

    assert found.pod == "a"
    assert found.warnings[-1] == (
        "Pod a isn't of the newest version of deployment/web, whose pods don't run or aren't ready."
    )


def test_a_deployment_whose_versions_may_not_be_looked_at() -> None:
    objects, *_ = deployment()
    late: Any = {"labels": {"pod-template-hash": "2"}, "creationTimestamp": "2026-01-02T00:00:00Z"}
    pods = several(pod("a", labels={"pod-template-hash": "1"}), pod("b", **late))
    objects |= {PODS: pods, f"{APPS}/replicasets": Refusal(403, "no")}

    assert find("deployment/web", objects)[0].pod == "b"


def test_a_rollout_with_a_selector() -> None:
    owner = workload("web") | {"status": {"currentPodHash": "2"}}
    pods = several(*(pod(f"p{n}", labels={"rollouts-pod-template-hash": n}) for n in "12"), pod("other"))
    found, rounds = find("rollout/web", {f"{ROLLOUTS}/web": owner, PODS: pods})

    assert found.pod == "p2"
    assert found.warnings[0].startswith("rollout/web has 2 pods")
    assert rounds == [[f"{ROLLOUTS}/web"], [f"{PODS}?app=web"]]
    assert len(find("rollout/web", {f"{ROLLOUTS}/web": workload("web"), PODS: pods})[0].warnings) == 1


def test_a_rollout_that_refers_to_a_deployment() -> None:
    owner = {"metadata": metadata("web"), "spec": {"workloadRef": {"kind": "Deployment", "name": "base"}}}
    objects: dict[str, Answer] = {
        f"{ROLLOUTS}/web": owner, f"{APPS}/deployments/base": workload("base"), f"{PODS}?app=base": several(pod()),
    }  # fmt: skip
    found, rounds = find("rollout/web", objects)

    assert found.pod == "web-1"
    assert len(rounds) == 3


def test_a_rollout_without_either() -> None:
    owner = {"metadata": metadata("web"), "spec": {"workloadRef": {"kind": "PodTemplate", "name": "base"}}}

    assert "neither a selector nor a workload" in fail("rollout/web", {f"{ROLLOUTS}/web": owner}).text


def test_a_cronjobs_newest_job_that_runs() -> None:
    owner = workload("tick") | {"status": {"active": [{"name": "j1", "uid": "u1"}, {"name": "j2", "uid": "u2"}]}}
    pods = several(
        pod("a", labels={"controller-uid": "u1"}),
        pod("b", labels={"controller-uid": "u2"}, creationTimestamp="2026-01-02T00:00:00Z"),
    )
    found, rounds = find("cronjob/tick", {f"{BATCH}/cronjobs/tick": owner, PODS: pods})

    assert (found.pod, found.warnings) == ("b", ())
    assert rounds == [[f"{BATCH}/cronjobs/tick"], [f"{PODS}?controller-uid in (u1,u2)"]]

    ended = several(pod("a", labels={"controller-uid": "u1"}, phase="Failed"))
    assert fail("cronjob/tick", {f"{BATCH}/cronjobs/tick": owner, PODS: ended}).text == (
        "cronjob/tick has no Job that runs now."
    )


def test_a_service() -> None:
    service = {"metadata": metadata("web"), "spec": {"selector": {"app": "web", "tier": "x"}}}
    found, rounds = find("service/web", {f"{SERVICES}/web": service, PODS: several(pod())})

    assert found.pod == "web-1"
    assert rounds == [[f"{SERVICES}/web"], [f"{PODS}?app=web,tier=x"]]


def test_a_service_without_a_selector_whose_endpoints_are_pods() -> None:
    endpoints = [
        {"targetRef": {"kind": "Pod", "name": "web-1", "namespace": "shop"}},
        {"targetRef": {"kind": "Pod", "name": "web-1"}},
        {"targetRef": {"kind": "Pod", "name": "far", "namespace": "other"}},
        {"targetRef": {"kind": "Node", "name": "node"}},
        {},
    ]
    objects: dict[str, Answer] = {
        f"{SERVICES}/web": {"metadata": metadata("web"), "spec": {}},
        f"{SLICES}?kubernetes.io/service-name=web": several({"endpoints": endpoints}, {"endpoints": None}),
        f"{PODS}/web-1": pod(),
    }
    found, rounds = find("service/web", objects)

    assert found.pod == "web-1"
    assert len(rounds) == 3 and rounds[2] == [f"{PODS}/web-1"]


def test_a_service_without_pods_of_its_own() -> None:
    bare: dict[str, Answer] = {f"{SERVICES}/web": {"metadata": metadata("web"), "spec": {}}, SLICES: several()}
    assert "its endpoints aren't pods of this namespace" in fail("service/web", bare).text

    outside = {"metadata": metadata("web"), "spec": {"type": "ExternalName", "externalName": "db.test", "selector": {}}}
    assert fail("service/web", {f"{SERVICES}/web": outside}).text == (
        "service/web stands for the name db.test, and has no pods."
    )


# ---------------------------------------------------------------------------------------------- what can't be


def test_a_pod_that_does_not_run() -> None:
    error = fail("pod/web-1", {f"{PODS}/web-1": pod(containers={"web": "ErrImagePull"})})

    assert error.category == "cluster"
    assert error.text.splitlines() == [
        "pod/web-1 can't be a target now.",
        "Pod web-1: the container web isn't running: ErrImagePull.",
    ]
    assert "kubectl describe pod" in error.next_step


def test_a_container_that_is_not_there() -> None:
    objects: dict[str, Answer] = {PODS: several(pod())}

    error = fail("label/app=web/container/wbe", objects)
    assert (error.category, error.next_step) == ("you", "Did you mean label/app=web/container/web?")
    assert fail("label/app=web/container/zzz", objects).next_step == "Name another container, or leave it out."


def test_pods_that_may_not_be_looked_for() -> None:
    error = fail("statefulset/web", {f"{APPS}/statefulsets/web": workload("web"), PODS: Refusal(403, "no, you don't.")})

    assert error.text == (
        "statefulset/web was found, but its pods can't be looked for."
        " You may not list pods in namespace shop: no, you don't."
    )
    assert "`mirrord rbac -n shop`" in error.next_step
    assert fail("label/app=web", {PODS: Refusal(403, "no")}).text == "You may not list pods in namespace shop: no."


def test_a_job_that_has_ended() -> None:
    owner = workload("web") | {"status": {"conditions": [{"type": "Complete", "status": "True"}]}}
    objects: dict[str, Answer] = {f"{BATCH}/jobs/web": owner, PODS: several(pod(phase="Succeeded", owner=owner))}

    assert fail("job/web", objects).text == "job/web has ended (Complete)."
