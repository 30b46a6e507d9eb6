"""The namespaces of one run, one for each level of Pod Security, with all that is in them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.e2e.kit import workloads
from tests.e2e.kit.cluster import Cluster

READY = "180s"
OURS = ",".join(f"{key}={value}" for key, value in workloads.OURS.items())
"""The selector of what runs make."""


@dataclass(frozen=True, slots=True)
class Places:
    """The names of a run's namespaces."""

    free: str
    """Pod Security's `privileged`: everything may be."""
    baseline: str
    restricted: str
    empty: str
    """As `free`, with nothing in it."""

    def all(self) -> tuple[str, ...]:
        return self.free, self.baseline, self.restricted, self.empty


@contextmanager
def make_places(cluster: Cluster) -> Iterator[Places]:
    """Namespaces with workloads that serve; removed afterwards."""
    run = f"mirrord-e2e-{uuid.uuid4().hex[:6]}"
    places = Places(*(f"{run}-{end}" for end in ("free", "baseline", "restricted", "empty")))
    levels = zip(places.all(), ("privileged", "baseline", "restricted", "privileged"), strict=True)
    cluster.apply(*workloads.namespaces(levels))
    try:
        rollouts = _have_rollouts(cluster)
        cluster.apply(*workloads.in_privileged(), *workloads.rollout(controlled=not rollouts), namespace=places.free)
        cluster.apply(*workloads.in_baseline(), namespace=places.baseline)
        cluster.apply(*workloads.in_restricted(), namespace=places.restricted)
        for namespace in places.all()[:3]:
            cluster.kubectl("rollout", "status", "-n", namespace, "deployment", f"--timeout={READY}")
            ready = ("wait", "-n", namespace, "--for=condition=Ready", "pods", "-l", f"app!={workloads.HALF}")
            cluster.kubectl(*ready, f"--timeout={READY}")
        half = ("--for=condition=Ready", f"pod/{workloads.HALF}-1", f"--timeout={READY}")
        cluster.kubectl("wait", "-n", places.free, *half)
        yield places
    finally:
        cluster.kubectl("delete", "namespace", *places.all(), "--wait=false")
        others = cluster.kubectl("get", "namespaces", "-l", OURS, "-o", "name").split()
        if not {name.partition("/")[2] for name in others} - set(places.all()):
            cluster.kubectl("delete", "customresourcedefinitions", "-l", OURS, "--wait=false")


def _have_rollouts(cluster: Cluster) -> bool:
    """Have Argo's kind of workload; whether it is a stand-in of ours, with nothing behind it."""
    name = workloads.ROLLOUTS["metadata"]["name"]
    there = cluster.attempt("get", "customresourcedefinition", name, "-o", "json")
    if there.returncode == 0:
        labels: dict[str, str] = json.loads(there.stdout)["metadata"].get("labels", {})
        return labels.items() >= workloads.OURS.items()
    cluster.apply(workloads.ROLLOUTS)
    cluster.kubectl("wait", "--for=condition=Established", f"customresourcedefinition/{name}", "--timeout=60s")
    return True
