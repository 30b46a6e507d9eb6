"""What a failed test's reader wants to know of the cluster: pods, events, what agents said."""

from __future__ import annotations

import json
from collections.abc import Iterable

from tests.e2e.kit.cluster import Cluster, running_agents

EVENTS = 40


def report(cluster: Cluster, namespaces: Iterable[str]) -> str:
    """Text about these namespaces; where the cluster doesn't answer, its words."""
    parts = []
    for namespace in namespaces:
        parts += [f"--- {namespace}", _say(cluster, "get", "jobs,pods", "-n", namespace, "-o", "wide")]
        events = _say(cluster, "get", "events", "-n", namespace, "--sort-by=.lastTimestamp").splitlines()
        parts += [f"--- the last events of {namespace}", *events[-EVENTS:], *_agents(cluster, namespace)]
    return "\n".join(parts)


def _agents(cluster: Cluster, namespace: str) -> Iterable[str]:
    listed = cluster.attempt("get", "pods", "-n", namespace, "-o", "json")
    for pod in json.loads(listed.stdout)["items"] if listed.returncode == 0 else []:
        name, labels = pod["metadata"]["name"], pod["metadata"].get("labels", {})
        containers = (
            ["mirrord-agent"] if labels.get("app.kubernetes.io/name") == "mirrord-agent" else running_agents(pod)
        )
        containers += [each["name"] for each in pod["spec"].get("ephemeralContainers", [])][-1:]
        for container in dict.fromkeys(containers):
            yield f"--- {name}/{container}"
            yield _say(cluster, "logs", "-n", namespace, name, "-c", container, "--tail=50")


def _say(cluster: Cluster, *arguments: str) -> str:
    done = cluster.attempt(*arguments)
    return (done.stdout + done.stderr).strip()
