"""`mirrord ls` in a real namespace: what can be a target, as editors read it."""

from __future__ import annotations

import json
from typing import Any

from tests.e2e.kit.cluster import Cluster, owners
from tests.e2e.kit.developer import Developer
from tests.e2e.kit.places import Places
from tests.e2e.kit.workloads import HALF


def ls(developer: Developer, *options: str, **variables: str) -> Any:
    done = developer.run("ls", *options, env=variables)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_plain(developer: Developer, cluster: Cluster) -> None:
    found = ls(developer)
    assert {
        "deployment/flask", "deployment/go", "statefulset/stateful", "rollout/rolled", "job/job", "cronjob/cron",
        "service/go", "service/stateful", "pod/alone", "daemonset/daemon", "replicaset/replica",
        "pod/several/container/front", "pod/several/container/back", f"pod/{HALF}-1",
    } <= set(found)  # fmt: skip
    (pod,) = owners(cluster.pods(developer.namespace, "go"))
    assert f"pod/{pod}" in found


def test_kinds(developer: Developer) -> None:
    assert ls(developer, "-t", "statefulset", "-t", "daemonset") == [
        f"statefulset/{HALF}", "statefulset/stateful", "daemonset/daemon",
    ]  # fmt: skip
    assert ls(developer, MIRRORD_LS_TARGET_TYPES='["daemonset"]') == ["daemonset/daemon"]


def test_rich(developer: Developer, places: Places) -> None:
    found = ls(developer, "-n", places.restricted, MIRRORD_LS_RICH_OUTPUT="true")
    assert found["current_namespace"] == places.restricted
    assert {"path": "deployment/locked", "available": True} in found["targets"]
    assert places.restricted in found["namespaces"]


def test_nothing_there(developer: Developer, places: Places) -> None:
    assert ls(developer, "-n", places.empty) == []
