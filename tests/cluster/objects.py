"""What the cluster is given through its API: the name service's address, and what CoreDNS may read. Pure."""

from __future__ import annotations

from typing import Any

from tests.cluster.layout import DNS_SERVICE, NODE

Json = dict[str, Any]
"""An object of the API, as it is said."""

SYSTEM = "/api/v1/namespaces/kube-system"
PORTS = [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"}]
RBAC = "rbac.authorization.k8s.io"


def objects() -> dict[str, Json]:
    """Every object by its path. CoreDNS runs beside the cluster, not in it: its endpoints are written by hand."""
    return {
        f"{SYSTEM}/services/kube-dns": {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "kube-dns", "namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}},
            "spec": {"clusterIP": DNS_SERVICE, "ports": PORTS},
        },
        "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices/kube-dns": {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": "kube-dns",
                "namespace": "kube-system",
                "labels": {"kubernetes.io/service-name": "kube-dns"},
            },
            "addressType": "IPv4",
            "ports": PORTS,
            "endpoints": [{"addresses": [NODE], "conditions": {"ready": True}}],
        },
        f"/apis/{RBAC}/v1/clusterroles/system:coredns": {
            "apiVersion": f"{RBAC}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "system:coredns"},
            "rules": [
                {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": ["list", "watch"]},
                {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
            ],
        },
        f"/apis/{RBAC}/v1/clusterrolebindings/system:coredns": {
            "apiVersion": f"{RBAC}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "system:coredns"},
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "system:coredns"},
            "subjects": [{"apiGroup": RBAC, "kind": "User", "name": "system:coredns"}],
        },
    }


def node_ready(node: Json | None) -> bool:
    """Whether pods can be scheduled to a node."""
    if node is None:
        return False
    conditions = {condition["type"]: condition["status"] for condition in node["status"].get("conditions", ())}
    return (
        conditions.get("Ready") == "True" and not node["spec"].get("taints") and not node["spec"].get("unschedulable")
    )
