"""Says what runs of the cluster, and whether it is well."""

from __future__ import annotations

import shlex
from pathlib import Path

from tests.cluster import processes
from tests.cluster.api import Api, resolves
from tests.cluster.daemons import Daemon, daemons
from tests.cluster.layout import NODE_NAME, Layout
from tests.cluster.objects import node_ready


def status(layout: Layout) -> int:
    """Print a line for each daemon, and for the node; 0 if all is well, 1 if not."""
    if not (layout.pki / ".made").exists() or not layout.run.exists():
        print("down")
        return 1
    api = Api(layout)
    well = [_daemon(layout, api, daemon) for daemon in daemons(layout)]
    node = api.get(f"/api/v1/nodes/{NODE_NAME}")
    well.append(node_ready(node))
    if node is None:
        print(f"{'node':24} not there")
    else:
        seen = node["status"]["nodeInfo"]
        versions = (
            f"Kubernetes {seen['kubeletVersion']}, {seen['containerRuntimeVersion']}, Linux {seen['kernelVersion']}"
        )
        print(f"{'node':24} {'ready' if well[-1] else 'not ready'}; {versions}")
        pods = api.get("/api/v1/pods")
        print(f"{'pods':24} {len(pods['items']) if pods else '?'}")
    well.append(resolves())
    print(f"{'names':24} {'resolved' if well[-1] else 'not resolved'}")
    print(f"export KUBECONFIG={shlex.quote(str(layout.kubeconfig))}")
    return 0 if all(well) else 1


def _daemon(layout: Layout, api: Api, daemon: Daemon) -> bool:
    record = processes.read(layout, daemon.name)
    if record is None or not processes.is_running(layout, daemon.name):
        print(f"{daemon.name:24} dead; its log is {layout.log / daemon.name}")
        return False
    well = not daemon.health or api.healthy(daemon.health)
    print(
        f"{daemon.name:24} {'runs' if well else 'runs, but is not well'}; process {record.pid}, {_memory(record.pid)}"
    )
    return well


def _memory(pid: int) -> str:
    """Return how much memory a process has for itself: smaps_rollup of proc(5)."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return "gone"
    own = sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))
    return f"{own // 1024} MiB"
