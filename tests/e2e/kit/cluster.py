"""The cluster that the end-to-end tests use, past mirrord: by kubectl, and where its node is this machine, by the kernel.

It is the one of KUBECONFIG where that is set, else that of tests/cluster.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.layout import HERE
from tests.e2e.kit.workloads import Json

CTR = "MIRRORD_E2E_CTR"
"""The command that speaks to the containerd of a cluster whose only node is this machine: `k3s ctr`."""
GONE = 10.0
"""Seconds within which nothing is left of a session, however it ended."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster, and who may do everything there."""

    kubeconfig: Path
    program: str
    """kubectl."""
    ctr: tuple[str, ...] = ()
    """Speaks to the node's containerd, where the node is this machine."""

    @classmethod
    def chosen(cls) -> Cluster:
        """The one that the environment names, else this checkout's own."""
        given = os.environ.get("KUBECONFIG")
        if given and Path(given).resolve() != HERE.kubeconfig.resolve():
            return cls(
                Path(given), shutil.which("kubectl") or str(HERE.kubectl), tuple(shlex.split(os.environ.get(CTR, "")))
            )
        return cls(HERE.kubeconfig, str(HERE.kubectl), (str(HERE.ctr),))

    def kubectl(self, *arguments: str, given: str | None = None) -> str:
        """Run kubectl as whoever may do everything; its standard output."""
        done = self.attempt(*arguments, given=given)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def attempt(self, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run kubectl; whoever calls looks at how it ended."""
        command = [self.program, f"--kubeconfig={self.kubeconfig}", "--request-timeout=60s", *arguments]
        return subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=300)

    def apply(self, *objects: Json, namespace: str = "default") -> None:
        """Have these objects."""
        listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl("apply", "-n", namespace, "-f", "-", given=json.dumps(listed))

    def get(self, namespace: str, *arguments: str) -> Any:
        """An object, or a list of them."""
        return json.loads(self.kubectl("get", "-n", namespace, "-o", "json", *arguments))

    def pods(self, namespace: str, app: str) -> list[Json]:
        """The pods of a workload."""
        found: list[Json] = self.get(namespace, "pods", "-l", f"app={app}")["items"]
        return found

    def pod(self, namespace: str, app: str) -> Json:
        """The one pod of a workload."""
        (found,) = self.pods(namespace, app)
        return found

    def domain(self, namespace: str) -> str:
        """What the full names of Services end with, as a pod there is told (resolv.conf(5))."""
        text = self.kubectl("exec", "-n", namespace, "client", "--", "cat", "/etc/resolv.conf")
        before = f"{namespace}.svc."
        return next(word.removeprefix(before) for word in text.split() if word.startswith(before))

    def context(self) -> Json:
        """What the kubeconfig says of the cluster, alone."""
        view = json.loads(self.kubectl("config", "view", "--minify", "--flatten", "--raw", "-o", "json"))
        cluster: Json = view["clusters"][0]["cluster"]
        return cluster


def wait_until(true: Callable[[], object], seconds: float, otherwise: Callable[[], object]) -> float:
    """Wait for what others do without telling; after how many seconds it was so."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() < began + seconds, f"not within {seconds:g} s; {otherwise()}"
        time.sleep(0.1)
    return time.monotonic() - began


def container_id(pod: Json, name: str) -> str:
    """A container's id, of 64 digits; empty as long as the cluster doesn't tell of it."""
    statuses = pod["status"].get("containerStatuses", []) + pod["status"].get("ephemeralContainerStatuses", [])
    found = next((status.get("containerID", "") for status in statuses if status["name"] == name), "")
    return str(found).rpartition("/")[2]


def main_process(look: Callable[[], tuple[Json, str]]) -> int:
    """The first process of a container on this machine's node; a session may be ready before the cluster tells of it.

    Args:
        look: Returns its pod, as it is now, and its name.
    """
    wait_until(lambda: container_id(*look()), GONE, lambda: look()[0]["status"])
    return min(processes(container_id(*look())))


def processes(container: str) -> dict[int, str]:
    """The processes of a container on this machine's node, with their command lines."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                if container in (folder / "cgroup").read_text():
                    line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    found[int(folder.name)] = line.strip()
            except OSError:
                continue  # it ended
    return found


def rules(pod: Json) -> str:
    """The rules of nftables in the network of a pod on this machine's node."""
    container = container_id(pod, pod["spec"]["containers"][0]["name"])
    pid = next(iter(sorted(processes(container))))
    done = subprocess.run(
        ["nsenter", "--net", "--target", str(pid), "nft", "list", "ruleset"], capture_output=True, text=True, check=True
    )
    return done.stdout


def running_agents(pod: Json) -> list[str]:
    """The ephemeral containers of mirrord that run in a pod, or may come to."""
    statuses = {each["name"]: each["state"] for each in pod["status"].get("ephemeralContainerStatuses", [])}
    names = [each["name"] for each in pod["spec"].get("ephemeralContainers", [])]
    return [name for name in names if name.startswith("mirrord-agent-") and "terminated" not in statuses.get(name, {})]


def owners(objects: Iterable[Json]) -> list[str]:
    """Names, for messages."""
    return [each["metadata"]["name"] for each in objects]
