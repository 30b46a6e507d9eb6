"""However a session ends, nothing of it stays in the cluster, and the target serves again."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.e2e.kit.client import Client
from tests.e2e.kit.cluster import GONE, Cluster, container_id, processes, running_agents, wait_until
from tests.e2e.kit.developer import Developer, Program
from tests.e2e.kit.images import SHOP
from tests.e2e.kit.people import write_kubeconfig
from tests.e2e.kit.relay import Relay
from tests.e2e.kit.remains import OURS, remains
from tests.e2e.kit.workloads import PORT
from tests.kit.run import processes as local_processes

SMALL = [sys.executable, str(SHOP / "small.py"), str(PORT)]
MODES = ["ephemeral", "job"]
LEASE = 30.0
"""Seconds of silence after which an agent frees what a session had."""
NOTICED = 3.0
"""Seconds for the cluster to show it."""


@contextmanager
def stealing(developer: Developer, client: Client, mode: str, app: str = "go") -> Iterator[Program]:
    """A session with a port stolen."""
    options = ["--steal", "-f", developer.configuration(agent={"mode": mode})]
    with developer.start(f"deployment/{app}", *SMALL, options=options, cwd=SHOP) as program:
        program.wait_said("serving as local")
        assert client.get(f"{app}/pears").text == "local, small: /pears\n"
        yield program


def session_of(developer: Developer, program: Program) -> int:
    """The session's process."""
    others = local_processes(developer.runner.mark)
    (session,) = (pid for pid, line in others.items() if "mirrord_cli" in line and pid != program.process.pid)
    return session


def agent_of(cluster: Cluster, namespace: str, mode: str) -> int:
    """The agent's process, on this machine's node."""
    if mode == "job":
        (pod,) = cluster.get(namespace, "pods", "-l", OURS)["items"]
        name = "mirrord-agent"
    else:
        pod = cluster.pod(namespace, "go")
        (name,) = running_agents(pod)
    return min(processes(container_id(pod, name)))


@pytest.fixture
def gone(cluster: Cluster, client: Client, developer: Developer) -> Callable[..., None]:
    """Waits until nothing is left."""

    def wait(seconds: float = GONE, app: str = "go") -> None:
        namespace = developer.namespace
        took = wait_until(
            lambda: not remains(cluster, app, namespace), seconds, lambda: remains(cluster, app, namespace)
        )
        assert client.get(f"{app}/after").text.startswith("target, go: /after")
        print(f"nothing was left after {took:.1f} s")

    return wait


def test_remains_are_seen(developer: Developer, client: Client, cluster: Cluster) -> None:
    """What the other tests rely on: while a session lives, there is something to find."""
    for mode, kinds in (("ephemeral", ["container"]), ("job", ["Job", "Pod"])):
        with stealing(developer, client, mode):
            found = remains(cluster, "go", developer.namespace)
        assert [line.split()[0] for line in found[: len(kinds)]] == kinds
        assert not cluster.ctr or "dport 8000" in found[-1]
        wait_until(lambda: not remains(cluster, "go", developer.namespace), GONE, lambda: "something is left")


@pytest.mark.parametrize("mode", MODES)
def test_exit(developer: Developer, client: Client, gone: Callable[..., None], mode: str) -> None:
    with stealing(developer, client, mode) as program:
        assert client.get("go/quit").text == "local, small: /quit\n"
        assert program.wait() == 7
        gone()


@pytest.mark.parametrize("mode", MODES)
def test_interrupt(developer: Developer, client: Client, gone: Callable[..., None], mode: str) -> None:
    with stealing(developer, client, mode) as program:
        assert program.end() == 130
        gone()


@pytest.mark.parametrize("mode", MODES)
def test_killed_program(developer: Developer, client: Client, gone: Callable[..., None], mode: str) -> None:
    with stealing(developer, client, mode) as program:
        program.process.kill()
        assert program.wait() == -signal.SIGKILL
        gone()


@pytest.mark.parametrize("mode", MODES)
def test_killed_session(developer: Developer, client: Client, gone: Callable[..., None], mode: str) -> None:
    """The program lives on, without the target."""
    with stealing(developer, client, mode) as program:
        os.kill(session_of(developer, program), signal.SIGKILL)
        gone()
        assert program.process.poll() is None


@pytest.mark.usefixtures("node")
@pytest.mark.parametrize("mode", MODES)
def test_killed_agent(
    developer: Developer, client: Client, cluster: Cluster, gone: Callable[..., None], mode: str
) -> None:
    with stealing(developer, client, mode) as program:
        os.kill(agent_of(cluster, developer.namespace, mode), signal.SIGKILL)
        gone()
        program.wait_said("mirrord: ", errors=True)


def test_removed_pod(developer: Developer, client: Client, cluster: Cluster, gone: Callable[..., None]) -> None:
    """Somebody removes the agent's Job, or a node is drained."""
    with stealing(developer, client, "job"):
        cluster.kubectl("delete", "jobs,pods", "-n", developer.namespace, "-l", OURS, "--wait=false")
        gone()


@contextmanager
def starting(developer: Developer, mode: str, until: str) -> Iterator[Program]:
    """A session on its way, as far as a line of its progress."""
    options = ["-f", developer.configuration(agent={"mode": mode, "communication_timeout": 5}), "--steal"]
    with developer.start("deployment/go", *SMALL, options=options) as program:
        program.wait_said(until, errors=True)
        yield program


STEPS = ["creating ", "starting the agent on ", "connecting to the agent "]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("mode", MODES)
def test_killed_command_line(developer: Developer, gone: Callable[..., None], mode: str, step: str) -> None:
    with starting(developer, mode, step) as program:
        program.process.kill()
        program.wait()
        gone()


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("mode", MODES)
def test_interrupted_command_line(developer: Developer, gone: Callable[..., None], mode: str, step: str) -> None:
    with starting(developer, mode, step) as program:
        program.end()
        gone()


@pytest.mark.parametrize("mode", MODES)
def test_session_killed_at_the_start(developer: Developer, gone: Callable[..., None], mode: str) -> None:
    with starting(developer, mode, "starting the agent on ") as program:
        os.kill(session_of(developer, program), signal.SIGKILL)
        assert program.wait() != 0
        gone()


@pytest.mark.parametrize("mode", MODES)
def test_both_killed_at_the_start(developer: Developer, gone: Callable[..., None], mode: str) -> None:
    """Nobody comes: the agent ends after its communication timeout."""
    with starting(developer, mode, "starting the agent on ") as program:
        os.kill(session_of(developer, program), signal.SIGKILL)
        program.process.kill()
        gone(seconds=5 + GONE)


@pytest.mark.timeout(180)
def test_cut_network(
    developer: Developer, client: Client, cluster: Cluster, gone: Callable[..., None], tmp_path: Path
) -> None:
    """Nobody is told that the network is gone: agents notice it by the silence. Both kinds at once, to save a wait."""
    server = urlsplit(cluster.context()["server"])
    assert server.hostname
    user = json.loads(developer.kubeconfig.read_text())["users"][0]["user"]
    with Relay(server.hostname, server.port or 443) as relay:
        other = {"server": f"https://127.0.0.1:{relay.port}", "tls-server-name": "kubernetes.default.svc"}
        path = write_kubeconfig(tmp_path / "relayed", cluster, developer.namespace, user, **other)
        relayed = replace(developer, kubeconfig=path)
        with stealing(relayed, client, "ephemeral"), stealing(relayed, client, "job", "locked"):
            relay.silence()
            gone(LEASE + NOTICED)
            gone(NOTICED, "locked")
