"""The namespaces of one run, one for each level of Pod Security, with all that is in them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.e2e.kit import workloads
from tests.e2e.kit.cluster import Cluster

READY = "180s"


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
    cluster.apply(workloads.ROLLOUTS)
    cluster.apply(*workloads.namespaces(zip(places.all(), ("privileged", "baseline", "restricted", "privileged"), strict=True)))  # fmt: skip
    try:
        cluster.kubectl("wait", "--for=condition=Established", "crd/rollouts.argoproj.io", "--timeout=60s")
        cluster.apply(*workloads.in_privileged(), *workloads.rollout(), namespace=places.free)
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
