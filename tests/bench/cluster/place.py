"""The namespace that the benchmarks use in a cluster, and the ways to it: straight, and with delay before the API server.

Its two pods run the agent's image, so that a cluster needs no other; what else runs there is compiled here, and sent.
"""

from __future__ import annotations

import contextlib
import io
import json
import platform
import subprocess
import sys
import tarfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mirrord_cli.session.reaching.machine import place_of
from tests.bench import files, peers
from tests.e2e.kit import workloads
from tests.e2e.kit.cluster import Cluster, wait_until
from tests.kit.serving import Serving

ECHO, SOURCE, SINK, HTTP = 7, 9001, 9002, 8080
"""Ports: those of programs/traffic.c in the client's pod, that of programs/http.c in the target's."""
BENCH = "/bench"
"""Where the programs are in both pods."""
WAITS = ["python3", "-c", "import signal; signal.sigwait({signal.SIGTERM})"]
RECEIVES = ["python3", "-c", "import sys, tarfile; tarfile.open(fileobj=sys.stdin.buffer, mode='r|').extractall('/')"]
READY = "--timeout=60s"
SETTLES_WITHIN = 15.0


@dataclass(frozen=True, slots=True)
class Place:
    """A namespace with a target, and a client whose pod sees the node's processes."""

    cluster: Cluster
    namespace: str
    image: str
    """The agent's."""
    ways: dict[float, Path]
    """A kubeconfig for each delay of a round trip, in seconds."""

    def kubectl(self, *arguments: str, delay: float = 0.0) -> list[str]:
        """A command line of kubectl's."""
        return [self.cluster.program, f"--kubeconfig={self.ways[delay]}", *arguments]

    def inside(self, pod: str, *command: str) -> list[str]:
        """The command line that runs a program in one of the pods, with the input of whoever runs it."""
        return self.kubectl("exec", "-i", pod, "--", *command)

    def run_inside(self, pod: str, *command: str) -> str:
        """What a program prints in one of the pods."""
        done = subprocess.run(self.inside(pod, *command), stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(command)} failed in pod {pod}: {done.stderr}")
        return done.stdout

    @contextmanager
    def started(self, command: Sequence[str]) -> Iterator[None]:
        """Run a server of the benchmarks' own, which says that it listens."""
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            said = Serving(process).line()
            if said != "listening":
                _, error = process.communicate()
                sys.exit(f"{' '.join(command)} failed: {said}\n{error.decode()}")
            yield
            process.communicate()

    @contextmanager
    def forwarded(self, pod: str, *ports: int, delay: float = 0.0) -> Iterator[dict[int, int]]:
        """Run kubectl's port-forward; the local port for each of the pod's."""
        wanted = (f":{port}" for port in ports)
        command = self.kubectl("port-forward", "--address=127.0.0.1", f"pod/{pod}", *wanted, delay=delay)
        # It tells of each connection that is reset, as those of a load are at its end.
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            serving, local = Serving(process), {}
            for port in ports:
                said = serving.line()  # Forwarding from 127.0.0.1:45321 -> 7
                if not said.endswith(f" -> {port}"):
                    sys.exit(f"{' '.join(command)} failed: {said}")
                local[port] = int(said.split()[2].rpartition(":")[2])
            yield local
            process.terminate()

    def settle(self, pod: str) -> None:
        """Wait until each ephemeral container of a pod has ended, and the cluster has noticed."""

        def running() -> list[str]:
            status = self.cluster.get(self.namespace, "pod", pod)["status"]
            parts = status.get("ephemeralContainerStatuses", [])
            return [part["name"] for part in parts if "terminated" not in part["state"]]

        wait_until(lambda: not running(), SETTLES_WITHIN, running)

    def address(self, pod: str) -> str:
        """The address of a pod."""
        found: str = self.cluster.get(self.namespace, "pod", pod)["status"]["podIP"]
        return found


@contextmanager
def make_place(cluster: Cluster, image: str, delays: Sequence[float], folder: Path) -> Iterator[Place]:
    """Make the namespace and what is in it, and the ways to it; all of it goes with the block."""
    namespace = f"mirrord-bench-{uuid.uuid4().hex[:6]}"
    cluster.apply(*workloads.namespaces([(namespace, "privileged")]))
    try:
        with contextlib.ExitStack() as stack:
            ways = {delay: stack.enter_context(_way(cluster, namespace, delay, folder)) for delay in delays}
            place = Place(cluster, namespace, image, ways)
            cluster.apply(_pod("target", image), _pod("client", image, hostPID=True), namespace=namespace)
            cluster.kubectl("wait", "-n", namespace, "--for=condition=Ready", "pod", "target", "client", READY)
            content = _content(folder)
            for pod in ("target", "client"):
                subprocess.run(place.inside(pod, *RECEIVES), input=content, check=True)
            yield place
    finally:
        cluster.kubectl("delete", "namespace", namespace, "--wait=false")


def _pod(name: str, image: str, **spec: object) -> workloads.Json:
    """As root: low ports, and processes of others, may be its own."""
    mounts = {"bench": BENCH, "shop": files.SHOP}
    container = {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": WAITS,
        "securityContext": {"runAsUser": 0, "runAsGroup": 0},
        "volumeMounts": [{"name": name, "mountPath": path} for name, path in mounts.items()],
    }
    volumes = [{"name": name, "emptyDir": {}} for name in mounts]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": workloads.pod_spec(container, volumes=volumes, **spec),
    }


def _content(folder: Path) -> bytes:
    """Return a tar archive of what both pods get: programs, and what the rows about files read."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:

        def write(path: str, content: str | bytes) -> None:
            member = tarfile.TarInfo(path.removeprefix("/"))
            data = content.encode() if isinstance(content, str) else content
            member.size, member.mode = len(data), 0o755
            archive.addfile(member, io.BytesIO(data))

        files.fill(write)
        for name in ("http", "load", "traffic"):
            program = peers.compiled(name, folder, f"--target={platform.machine()}-linux-musl", "-s")
            write(f"{BENCH}/{name}", Path(program).read_bytes())
    return made.getvalue()


@contextmanager
def _way(cluster: Cluster, namespace: str, delay: float, folder: Path) -> Iterator[Path]:
    """Write a kubeconfig whose requests, and answers, take `delay` seconds together more."""
    view = json.loads(cluster.kubectl("config", "view", "--minify", "--flatten", "--raw", "-o", "json"))
    view["contexts"][0]["context"]["namespace"] = namespace
    path = folder / f"kubeconfig-{delay:g}"
    path.touch(mode=0o600)
    if not delay:
        path.write_text(json.dumps(view))  # which is YAML too
        yield path
        return
    reached = view["clusters"][0]["cluster"]
    if "proxy-url" in reached:
        sys.exit("no delay can be added where the API server is reached by a proxy; try --quick")
    server = place_of(reached["server"])
    command = [sys.executable, "-m", "mirrord_protocol.testing", "relay-to", "--delay", str(delay / 2)]
    command += [server.host, str(server.port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as relay:
        port = Serving(relay).line()
        scheme = "https" if server.secure else "http"
        reached["server"] = f"{scheme}://127.0.0.1:{port}{server.prefix}"
        reached.setdefault("tls-server-name", server.host)
        path.write_text(json.dumps(view))
        yield path
        relay.communicate()
