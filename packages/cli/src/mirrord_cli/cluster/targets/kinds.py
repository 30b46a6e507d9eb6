"""The kinds of objects that a target may name, and where the API has them. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from msgspec import Struct


class Kind(Struct, frozen=True):
    """One kind of object."""

    word: str
    """As in a target's name."""
    group: str
    """The API's group; empty for the core."""
    version: str
    plural: str
    api: str
    """As in a manifest: `Deployment`."""

    @property
    def root(self) -> str:
        """Where the API has its group and version."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def collection(self, namespace: str) -> str:
        """Return the path of all in a namespace; of all in the cluster if that is empty."""
        within = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
        return f"{self.root}{within}/{self.plural}"

    def path(self, namespace: str, name: str) -> str:
        """Return the path of one."""
        return f"{self.collection(namespace)}/{quote(name, safe='')}"


POD = Kind("pod", "", "v1", "pods", "Pod")
REPLICA_SET = Kind("replicaset", "apps", "v1", "replicasets", "ReplicaSet")
SLICE = Kind("endpointslice", "discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
NAMESPACES = "/api/v1/namespaces"
KINDS: Mapping[str, Kind] = {
    kind.word: kind
    for kind in (
        Kind("deployment", "apps", "v1", "deployments", "Deployment"),
        Kind("rollout", "argoproj.io", "v1alpha1", "rollouts", "Rollout"),
        Kind("statefulset", "apps", "v1", "statefulsets", "StatefulSet"),
        Kind("daemonset", "apps", "v1", "daemonsets", "DaemonSet"),
        Kind("cronjob", "batch", "v1", "cronjobs", "CronJob"),
        Kind("job", "batch", "v1", "jobs", "Job"),
        Kind("service", "", "v1", "services", "Service"),
        REPLICA_SET,
        POD,
    )
}
"""By their word, in the order in which they are listed."""
