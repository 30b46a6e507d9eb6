"""Pods, events and targets as an API server shows them, for tests of what is made of them."""

from __future__ import annotations

from typing import Any

from mirrord_cli.cluster.objects import Json
from mirrord_cli.cluster.targets.found import FoundTarget

CONTAINER_ID = "9b1f" * 16
IMAGE = "mirrord-agent:1.2.3"
NODE = "node-7"


def found(**changes: Any) -> FoundTarget:
    values: dict[str, Any] = {
        "namespace": "shop",
        "pod": "web-5d8",
        "uid": "11-22",
        "node": NODE,
        "container": "web",
        "container_id": CONTAINER_ID,
        "containers": ("web",),
        "user_id": 1000,
        "group_id": 1000,
        "workload": "deployment/web",
    }
    return FoundTarget(**values | changes)


def pod(
    state: Json | None = None,
    *,
    name: str = "mirrord-agent-abc-xyz12",
    container: str = "mirrord-agent",
    node: str = NODE,
    ephemeral: bool = False,
    uid: str = "",
    **status: Any,
) -> Json:
    """A pod whose agent is in a state: `{"running": {...}}` and its kin; with none, nothing is known of it."""
    statuses = [{"name": container, "state": state, "ready": False, "restartCount": 0}] if state is not None else []
    kind = "ephemeralContainerStatuses" if ephemeral else "containerStatuses"
    own: Json = {"phase": "Running" if ephemeral else "Pending", kind: statuses}
    return {
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": uid or ("11-22" if ephemeral else "33-44"),
            "resourceVersion": "812",
        },
        "spec": {"nodeName": node} if node else {},
        "status": own | status,
    }


def unplaced(message: str) -> Json:
    """The condition of a pod that the scheduler has no place for."""
    return {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}


def event(reason: str, message: str, *, kind: str = "Pod", warning: bool = True, path: str = "", at: int = 0) -> Json:
    about = {"kind": kind, "namespace": "shop", "name": "mirrord-agent-abc", "uid": "55"}
    return {
        "metadata": {"name": f"e{at}", "creationTimestamp": f"2026-01-01T00:00:{at:02}Z"},
        "involvedObject": about | ({"fieldPath": path} if path else {}),
        "reason": reason,
        "message": message,
        "type": "Warning" if warning else "Normal",
        "lastTimestamp": f"2026-01-01T00:00:{at:02}Z",
    }
