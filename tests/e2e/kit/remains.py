"""What is left of sessions in a cluster: looked for past mirrord."""

from __future__ import annotations

from tests.e2e.kit.cluster import Cluster, owners, rules, running_agents

OURS = "app.kubernetes.io/managed-by=mirrord"


def remains(cluster: Cluster, app: str, namespace: str, agents: str = "") -> list[str]:
    """What is still there of sessions with a workload.

    Args:
        cluster: Where.
        app: The workload's name.
        namespace: Its namespace.
        agents: That of Jobs, where it is another.
    """
    pod = cluster.pod(namespace, app)
    listed = cluster.get(agents or namespace, "jobs,pods", "-l", OURS)["items"]
    target = f"{namespace}/{pod['metadata']['name']}/"
    of_target = [each for each in listed if each["metadata"]["annotations"]["mirrord.dev/target"].startswith(target)]
    found = [f"{each['kind']} {name}" for each, name in zip(of_target, owners(of_target), strict=True)]
    found += [f"container {name}" for name in running_agents(pod)]
    if cluster.ctr and "mirrord" in (text := rules(pod)):
        found.append(text)
    return found
