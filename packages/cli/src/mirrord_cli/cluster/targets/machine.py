"""From a target's name to the container that is meant, round by round. No I/O: driver.py asks what is yielded.

A pod takes one round, a set of labels one, a workload or a Service two: its object says what its pods have in common.
What is wrong with a name is told by lacking.py, which asks once more. Which pod and which container it is to be is
decided in pods.py and containers.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mirrord_cli.cluster.objects import Json
from mirrord_cli.cluster.targets.asking import Answer, Ask, Refusal, Rounds, items, page
from mirrord_cli.cluster.targets.containers import (
    TELEPRESENCE,
    NoContainer,
    capabilities_of,
    choose_container,
    container_id,
    container_names,
    identity_of,
    probes_of,
    runs_as_non_root,
)
from mirrord_cli.cluster.targets.found import FoundTarget
from mirrord_cli.cluster.targets.kinds import KINDS, POD, REPLICA_SET, SLICE
from mirrord_cli.cluster.targets.lacking import absent, no_pods, nothing_labelled, refused
from mirrord_cli.cluster.targets.pods import Unusable, choose_pod, has_ended, newest, why_not_ready
from mirrord_cli.cluster.targets.selectors import labels_of, selector_of
from mirrord_cli.config.target import LABEL, ClusterTarget, target_name
from mirrord_cli.errors import MirrordError

REVISION = "deployment.kubernetes.io/revision"
ROLLOUT_HASH = "rollouts-pod-template-hash"
JOB_UID = "controller-uid"
SERVICE_NAME = "kubernetes.io/service-name"
REFERRED = {kind.api: kind for kind in KINDS.values()}
"""Kinds that a Rollout may refer to, by their API's name."""


def _any(_pod: Json) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Pods:
    """The pods of a target."""

    pods: list[Json]
    is_newest: Callable[[Json], bool] = _any


def finding(target: ClusterTarget, namespace: str) -> Rounds[FoundTarget]:
    """Find the container that a target means, `targetless` excepted.

    Raises:
        MirrordError: There is none that can be a target.
    """
    match target.kind:
        case "pod":
            there = Pods([(yield from _object(target, namespace))])
        case "cronjob":
            there = yield from _of_cronjob(target, namespace)
        case "service":
            there = yield from _of_service(target, namespace)
        case "rollout":
            there = yield from _of_rollout(target, namespace)
        case "deployment":
            there = yield from _of_deployment(target, namespace)
        case "label":
            there = yield from _of_labels(target, namespace)
        case _:
            there = yield from _of_controller(target, namespace)
    try:
        return _found(target, namespace, there)
    except Unusable as error:
        look = f"`kubectl describe pod -n {namespace}`"
        step = f"Look at it with {look}, and try again when it runs, or name another target."
        raise MirrordError("cluster", f"{target.plain} can't be a target now.\n{error.text}", step) from None
    except NoContainer as error:
        named = target_name(ClusterTarget(target.kind, target.name, error.nearest))
        step = f"Did you mean {named}?" if error.nearest else "Name another container, or leave it out."
        raise MirrordError("you", error.text, step) from None


# ---------------------------------------------------------------------------------------------- the pods of each kind


def _of_controller(target: ClusterTarget, namespace: str) -> Rounds[Pods]:
    """A StatefulSet, DaemonSet, ReplicaSet or Job: its pods are those that it owns."""
    owner = yield from _object(target, namespace)
    pods = _owned((yield from _listed(target, namespace, selector_of(owner["spec"].get("selector") or {}))), [owner])
    if target.kind == "job":
        pods = [pod for pod in pods if not has_ended(pod)]
    return Pods(_or_none(pods, target, namespace, owner))


def _of_deployment(target: ClusterTarget, namespace: str) -> Rounds[Pods]:
    owner = yield from _object(target, namespace)
    selector = selector_of(owner["spec"].get("selector") or {})
    asked = page(POD.collection(namespace), labels=selector), page(REPLICA_SET.collection(namespace), labels=selector)
    answer, sets = yield asked
    pods = _pods(answer, target, namespace)
    versions = _owned(items(sets), [owner])
    if versions:
        pods = _owned(pods, versions)
        latest = max(versions, key=_revision)
        return Pods(_or_none(pods, target, namespace, owner), lambda pod: bool(_owned([pod], [latest])))
    # Nobody told: the version of the pod that was created last is the newest.
    _or_none(pods, target, namespace, owner)
    latest_hash = _label(newest(pods), "pod-template-hash")
    return Pods(pods, lambda pod: _label(pod, "pod-template-hash") == latest_hash)


def _of_rollout(target: ClusterTarget, namespace: str) -> Rounds[Pods]:
    """A Rollout of Argo: with a selector of its own, or with that of a workload that it refers to."""
    owner = yield from _object(target, namespace)
    selector = owner["spec"].get("selector")
    reference = owner["spec"].get("workloadRef") or {}
    if not selector and (kind := REFERRED.get(reference.get("kind", ""))):
        referred = ClusterTarget(kind.word, reference.get("name", ""))
        selector = (yield from _object(referred, namespace))["spec"].get("selector")
    if not selector:
        text = f"{target.plain} has neither a selector nor a workload that mirrord knows, so that its pods are unknown."
        raise MirrordError("cluster", text, "Name a pod of it, or its labels.")
    pods = yield from _listed(target, namespace, selector_of(selector))
    current = (owner.get("status") or {}).get("currentPodHash")
    # A Deployment that it refers to may have pods of its own, for a while.
    pods = _or_none([pod for pod in pods if _label(pod, ROLLOUT_HASH)] or pods, target, namespace, owner)
    return Pods(pods, lambda pod: current is None or _label(pod, ROLLOUT_HASH) == current)


def _of_cronjob(target: ClusterTarget, namespace: str) -> Rounds[Pods]:
    """The pods of that one of its Jobs which was started last, of those that run."""
    owner = yield from _object(target, namespace)
    active = [job["uid"] for job in (owner.get("status") or {}).get("active") or []]
    if not active:
        raise no_pods(target, namespace, owner)
    pods = yield from _listed(target, namespace, f"{JOB_UID} in ({','.join(active)})")
    pods = _or_none([pod for pod in pods if not has_ended(pod)], target, namespace, owner)
    latest = _label(newest(pods), JOB_UID)
    return Pods([pod for pod in pods if _label(pod, JOB_UID) == latest])


def _of_labels(target: ClusterTarget, namespace: str) -> Rounds[Pods]:
    pods = yield from _listed(target, namespace, target.name)
    if not pods:
        raise (yield from nothing_labelled(target, namespace))
    return Pods(pods)


def _of_service(target: ClusterTarget, namespace: str) -> Rounds[Pods]:
    """The pods that it selects; else those that its EndpointSlices name."""
    service = yield from _object(target, namespace)
    spec = service["spec"]
    if spec.get("type") == "ExternalName":
        text = f"{target.plain} stands for the name {spec.get('externalName')}, and has no pods."
        raise MirrordError("you", text, "Name a Service that selects pods, or another target.")
    if selector := spec.get("selector"):
        pods = yield from _listed(target, namespace, labels_of(selector))
        return Pods(_or_none(pods, target, namespace, service))
    (slices,) = yield (page(SLICE.collection(namespace), labels=f"{SERVICE_NAME}={target.name}"),)
    if isinstance(slices, Refusal):
        raise refused(slices, "list", SLICE, namespace)
    names = _endpoints(items(slices), namespace)
    if not names:
        text = f"{target.plain} selects no pods: it has no selector, and its endpoints aren't pods of this namespace."
        raise MirrordError("you", text, "Name a Service that selects pods, or another target.")
    answers = yield tuple(Ask(POD.path(namespace, name)) for name in names)
    return Pods(_or_none([pod for pod in answers if not isinstance(pod, Refusal)], target, namespace, service))


def _endpoints(slices: Iterable[Json], namespace: str) -> list[str]:
    names = [
        reference["name"]
        for one in slices
        for endpoint in one.get("endpoints") or []
        if (reference := endpoint.get("targetRef") or {}).get("kind") == POD.api
        and reference.get("namespace", namespace) == namespace
    ]
    return list(dict.fromkeys(names))[:20]


# ---------------------------------------------------------------------------------------------- asking


def _object(target: ClusterTarget, namespace: str) -> Rounds[Json]:
    (answer,) = yield (Ask(KINDS[target.kind].path(namespace, target.name)),)
    if isinstance(answer, Refusal):
        raise (yield from absent(answer, target, namespace))
    return answer


def _listed(target: ClusterTarget, namespace: str, labels: str) -> Rounds[list[Json]]:
    (answer,) = yield (page(POD.collection(namespace), labels=labels),)
    return _pods(answer, target, namespace)


def _pods(answer: Answer, target: ClusterTarget, namespace: str) -> list[Json]:
    if isinstance(answer, Refusal):
        found = "" if target.kind == LABEL else f"{target.plain} was found, but its pods can't be looked for."
        raise refused(answer, "list", POD, namespace, found)
    return items(answer)


def _or_none(pods: list[Json], target: ClusterTarget, namespace: str, owner: Json) -> list[Json]:
    if not pods:
        raise no_pods(target, namespace, owner)
    return pods


def _owned(objects: Iterable[Json], owners: Iterable[Json]) -> list[Json]:
    """Return the objects that one of the others controls."""
    uids = {owner["metadata"]["uid"] for owner in owners}
    return [
        each
        for each in objects
        if any(
            reference.get("controller") and reference.get("uid") in uids
            for reference in each["metadata"].get("ownerReferences") or []
        )
    ]


def _revision(version: Json) -> int:
    text = (version["metadata"].get("annotations") or {}).get(REVISION, "")
    return int(text) if text.isdecimal() else 0


def _label(found: Json, key: str) -> str | None:
    value: str | None = (found["metadata"].get("labels") or {}).get(key)
    return value


# ---------------------------------------------------------------------------------------------- what was found


def _found(target: ClusterTarget, namespace: str, there: Pods) -> FoundTarget:
    pod = choose_pod(there.pods, target.container, there.is_newest)
    container, warnings = choose_container(pod, target.container)
    spec, name, pod_name = pod["spec"], container["name"], pod["metadata"]["name"]
    if len(there.pods) > 1:
        text = f"{target.plain} has {len(there.pods)} pods: the target is {pod_name} alone."
        warnings = (text, *warnings)
    if not there.is_newest(pod):
        warnings += (
            f"Pod {pod_name} isn't of the newest version of {target.plain}, whose pods don't run or aren't ready.",
        )
    if (unready := why_not_ready(pod, name)) is not None:
        warnings += (unready,)
    if TELEPRESENCE in container_names(pod) and name != TELEPRESENCE:
        warnings += (f"Pod {pod_name} has a {TELEPRESENCE} of Telepresence, which may take the same connections.",)
    added, dropped = capabilities_of(container)
    return FoundTarget(
        namespace=namespace,
        pod=pod_name,
        uid=pod["metadata"]["uid"],
        node=spec["nodeName"],
        container=name,
        container_id=container_id(pod, name),
        containers=container_names(pod),
        user_id=identity_of(pod, container, "runAsUser"),
        group_id=identity_of(pod, container, "runAsGroup"),
        added_capabilities=added,
        dropped_capabilities=dropped,
        run_as_non_root=runs_as_non_root(pod, container),
        shares_processes=bool(spec.get("shareProcessNamespace") or spec.get("hostPID")),
        host_network=bool(spec.get("hostNetwork")),
        host_users=spec.get("hostUsers"),
        probes=probes_of(pod),
        workload=target_name(target),
        warnings=warnings,
    )
