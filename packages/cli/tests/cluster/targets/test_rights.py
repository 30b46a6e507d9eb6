"""The rights to find targets are what is asked for, and no others."""

from __future__ import annotations

import pytest

from cluster_objects import Cluster, metadata, several, workload
from cluster_rights import right_for
from mirrord_cli.cluster.objects import Json
from mirrord_cli.cluster.targets.asking import Answer
from mirrord_cli.cluster.targets.kinds import KINDS
from mirrord_cli.cluster.targets.machine import finding
from mirrord_cli.cluster.targets.rights import RIGHTS
from mirrord_cli.config.target import ClusterTarget
from mirrord_cli.errors import MirrordError

NAMESPACE = "/namespaces/shop/"


def asked(kind: str, there: Json | None = None) -> set[tuple[str, str, str]]:
    """What is asked for a target that isn't there, or that has no pods; in its namespace, the rest is a courtesy."""
    objects: dict[str, Answer] = {KINDS[each].collection("shop"): several() for each in KINDS}
    if there:
        objects[KINDS[kind].path("shop", "web")] = there
    cluster = Cluster(objects)
    with pytest.raises(MirrordError):
        cluster.play(finding(ClusterTarget(kind, "web"), "shop"))
    paths = [name.partition("?")[0] for names in cluster.rounds for name in names]
    return {right_for("GET", path) for path in paths if NAMESPACE in path}


def test_what_is_asked_for_is_what_is_granted() -> None:
    gone = [asked(kind) for kind in KINDS]
    idle = [asked(kind, workload("web")) for kind in KINDS if kind not in {"pod", "service", "cronjob"}]
    service = asked("service", {"metadata": metadata("web"), "spec": {}})

    granted = {(right.group, right.resource, verb) for right in RIGHTS for verb in right.verbs}
    assert set().union(*gone, *idle, service) == granted
