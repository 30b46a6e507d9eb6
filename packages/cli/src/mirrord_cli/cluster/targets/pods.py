"""Which of several pods is the target, and why one can't be. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from mirrord_cli.cluster.objects import Json
from mirrord_cli.cluster.targets.containers import (
    NoContainer,
    candidates,
    choose_container,
    is_ready,
    is_running,
    status_of,
    why_not_running,
)

WINDOWS = "windows"


class Unusable(Exception):
    """No pod can be the target; says why in sentences."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def choose_pod(pods: Sequence[Json], container: str | None, is_newest: Callable[[Json], bool]) -> Json:
    """Return the pod that does best.

    One whose container is ready comes before one that only runs; then one of the workload's newest version; then one
    of which all is ready, that was restarted less, and that runs longer.

    Args:
        pods: At least one.
        container: The container's name, if one is named.
        is_newest: Whether a pod is of the newest version.

    Raises:
        Unusable: None can be the target.
        NoContainer: None has the container.
    """
    having = [pod for pod in pods if _has(pod, container)]
    if not having:
        choose_container(pods[0], container)
    usable = [pod for pod in having if why_unusable(pod, container) is None]
    if not usable:
        raise Unusable("\n".join(dict.fromkeys(_reasons(having, container))))
    return min(usable, key=lambda pod: _rank(pod, container, newest=is_newest(pod)))


def _has(pod: Json, container: str | None) -> bool:
    try:
        choose_container(pod, container)
    except NoContainer:
        return False
    return True


def _rank(pod: Json, container: str | None, *, newest: bool) -> tuple[bool, bool, bool, int, str, str]:
    name = choose_container(pod, container)[0]["name"]
    restarts = sum(status.get("restartCount", 0) for status in (pod.get("status") or {}).get("containerStatuses") or [])
    return (
        not is_ready(pod, name),
        not newest,
        not is_pod_ready(pod),
        restarts,
        pod["metadata"].get("creationTimestamp") or "",
        pod["metadata"]["name"],
    )


def _reasons(pods: Sequence[Json], container: str | None) -> list[str]:
    """Return why none can be, of three at most: of a hundred pods, the others have the same reason."""
    reasons = [why_unusable(pod, container) or "" for pod in pods[:3]]
    if len(pods) > 3:
        reasons.append(f"So it is, or the like, with {len(pods) - 3} more.")
    return reasons


def why_unusable(pod: Json, container: str | None) -> str | None:
    """Return why a pod can't be the target, in a sentence; None if it can.

    Raises:
        NoContainer: It has no such container.
    """
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    phase = status.get("phase") or "Unknown"
    wanted = choose_container(pod, container)[0]["name"]
    if pod["metadata"].get("deletionTimestamp"):
        return f"Pod {name} is being deleted."
    if _system(pod) == WINDOWS:
        return f"Pod {name} runs Windows, and an agent needs Linux."
    if has_ended(pod):
        return f"Pod {name} has ended ({_said(status, phase)})."
    if is_running(pod, wanted):
        return None
    if not status_of(pod, wanted):
        if unscheduled := _condition(status, "PodScheduled"):
            return f"Pod {name} has no node: {_said(unscheduled, 'it waits for one')}."
        return f"Pod {name} isn't running yet ({_said(status, phase)})."
    return f"Pod {name}: the container {wanted} {why_not_running(pod, wanted)}."


def has_ended(pod: Json) -> bool:
    """Return whether a pod will never run again."""
    return (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}


def why_not_ready(pod: Json, name: str) -> str | None:
    """Return what a person should know of a container that runs, but isn't ready; None if it is."""
    if is_ready(pod, name):
        return None
    started = status_of(pod, name).get("started")
    why = "its readiness probe doesn't succeed" if started else "its startup probe hasn't succeeded yet"
    return f"The container {name} of pod {pod['metadata']['name']} runs, but isn't ready: {why}."


def is_pod_ready(pod: Json) -> bool:
    """Return whether Services send a pod what comes for them."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)


def targets_of(pod: Json) -> list[str]:
    """Return the targets' names that a pod has: with its containers, if a person may mean several."""
    name, names = pod["metadata"]["name"], candidates(pod)
    return [f"pod/{name}"] if len(names) == 1 else [f"pod/{name}/container/{each}" for each in names]


def newest(pods: Sequence[Json]) -> Json:
    """Return the pod that was created last."""
    return max(pods, key=lambda pod: _time(pod["metadata"].get("creationTimestamp")))


def _time(text: str | None) -> datetime:
    return datetime.fromisoformat(text or "1970-01-01T00:00:00Z")


def _system(pod: Json) -> str | None:
    spec = pod["spec"]
    found: str | None = (spec.get("os") or {}).get("name") or (spec.get("nodeSelector") or {}).get("kubernetes.io/os")
    return found


def _condition(status: Json, kind: str) -> Json | None:
    """Return a condition that isn't met."""
    for condition in status.get("conditions") or []:
        if condition.get("type") == kind and condition.get("status") == "False":
            found: Json = condition
            return found
    return None


def _said(found: Json, otherwise: str) -> str:
    """Return the cluster's own words, as part of a sentence."""
    reason, message = found.get("reason"), " ".join((found.get("message") or "").split()).rstrip(".")
    return ": ".join(filter(None, (reason, message[:300]))) or otherwise
