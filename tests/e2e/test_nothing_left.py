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
from tests.e2e.kit.cluster import GONE, Cluster, main_process, running_agents, wait_until
from tests.e2e.kit.developer import Developer, Program
from tests.e2e.kit.images import SHOP
from tests.e2e.kit.people import write_kubeconfig
from tests.e2e.kit.relay import Relay
from tests.e2e.kit.remains import OURS, remains
from tests.e2e.kit.workloads import PORT, Json

SMALL = [sys.executable, str(SHOP / "small.py"), str(PORT)]
MODES = ["ephemeral", "job"]
LEASE = 30.0
"""Seconds of silence after which an agent frees what a session had."""
NOTICED = 2.0
"""Seconds for the cluster to show it."""


@contextmanager
def stealing(developer: Developer, client: Client, mode: str, app: str = "go") -> Iterator[Program]:
    """A session with a port stolen."""
    options = ["--steal", "-f", developer.configuration(agent={"mode": mode})]
    with developer.start(f"deployment/{app}", *SMALL, options=options, cwd=SHOP) as program:
        program.wait_said("serving as local")
        assert client.get(f"{app}/pears").text == "local, small: /pears\n"
        yield program


def session_of(program: Program) -> int:
    """The session's process."""
    (session,) = program.sessions()
    return session


def agent_of(cluster: Cluster, namespace: str, mode: str) -> int:
    """The agent's process, on this machine's node."""

    def look() -> tuple[Json, str]:
        if mode == "job":
            (pod,) = cluster.get(namespace, "pods", "-l", OURS)["items"]
            return pod, "mirrord-agent"
        pod = cluster.pod(namespace, "go")
        (name,) = running_agents(pod)
        return pod, name

    return main_process(look)


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
        os.kill(session_of(program), signal.SIGKILL)
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
        assert program.process.poll() is None


def test_removed_pod(developer: Developer, client: Client, cluster: Cluster, gone: Callable[..., None]) -> None:
    """Somebody removes the agent's Job, or a node is drained."""
    with stealing(developer, client, "job"):
        cluster.kubectl("delete", "jobs,pods", "-n", developer.namespace, "-l", OURS, "--wait=false")
        gone()


STEPS = ["begun", "created", "running"]
"""How far a session is on its way: there is a process, an agent was asked for, the agent runs."""


@contextmanager
def starting(developer: Developer, cluster: Cluster, mode: str, step: str) -> Iterator[Program]:
    """A session on its way."""
    namespace = developer.namespace
    before = set(container_states(cluster, namespace))

    def come() -> bool:
        if step == "begun":
            return bool(program.sessions())
        states = container_states(cluster, namespace)
        new = [states[name] for name in states if name not in before]
        return bool(new) and (step == "created" or "running" in new[0])

    options = ["-f", developer.configuration(agent={"mode": mode, "communication_timeout": 5}), "--steal"]
    with developer.start("deployment/go", *SMALL, options=options) as program:
        wait_until(come, GONE, program.errors)
        yield program


def container_states(cluster: Cluster, namespace: str) -> Json:
    """The states of all agents' containers, by their names; of a Job's, by its pod's."""
    target = cluster.pod(namespace, "go")
    states = {each["name"]: each["state"] for each in target["status"].get("ephemeralContainerStatuses", [])}
    found = {each["name"]: states.get(each["name"], {}) for each in target["spec"].get("ephemeralContainers", [])}
    for pod in cluster.get(namespace, "pods", "-l", OURS)["items"]:
        statuses = pod["status"].get("containerStatuses", [])
        found[pod["metadata"]["name"]] = statuses[0]["state"] if statuses else {}
    return found


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("mode", MODES)
def test_killed_command_line(
    developer: Developer, cluster: Cluster, gone: Callable[..., None], mode: str, step: str
) -> None:
    """Or the program, if that is what it has become meanwhile."""
    with starting(developer, cluster, mode, step) as program:
        program.process.kill()
        program.wait()
        gone()


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("mode", MODES)
def test_interrupted_command_line(
    developer: Developer, cluster: Cluster, gone: Callable[..., None], mode: str, step: str
) -> None:
    with starting(developer, cluster, mode, step) as program:
        assert program.end() != 0
        gone()


@pytest.mark.parametrize("mode", MODES)
def test_session_killed_at_the_start(
    developer: Developer, cluster: Cluster, gone: Callable[..., None], mode: str
) -> None:
    with starting(developer, cluster, mode, "created") as program:
        os.kill(session_of(program), signal.SIGKILL)
        gone()


@pytest.mark.parametrize("mode", MODES)
def test_both_killed_at_the_start(developer: Developer, cluster: Cluster, gone: Callable[..., None], mode: str) -> None:
    """Nobody comes: the agent ends after its communication timeout."""
    with starting(developer, cluster, mode, "created") as program:
        os.kill(session_of(program), signal.SIGKILL)
        program.process.kill()
        gone(seconds=5 + GONE)


def test_cut_network(
    developer: Developer, client: Client, cluster: Cluster, gone: Callable[..., None], tmp_path: Path
) -> None:
    """Nobody is told that the network is gone: agents notice it by the silence. Both kinds at once, to save a wait."""
    server = urlsplit(cluster.context()["server"])
    assert server.hostname
    user = json.loads(developer.kubeconfig.read_text())["users"][0]["user"]

    def agents_left() -> list[str]:
        found = [*remains(cluster, "go", developer.namespace), *remains(cluster, "locked", developer.namespace)]
        return [line for line in found if not line.startswith(("Job", "Pod"))]

    with Relay(server.hostname, server.port or 443) as relay:
        other = {"server": f"https://127.0.0.1:{relay.port}", "tls-server-name": "kubernetes.default.svc"}
        path = write_kubeconfig(tmp_path / "relayed", cluster, developer.namespace, user, **other)
        relayed = replace(developer, kubeconfig=path)
        with stealing(relayed, client, "ephemeral"), stealing(relayed, client, "job", "locked"):
            relay.silence()
            took = wait_until(lambda: not agents_left(), LEASE + NOTICED, agents_left)
            print(f"no agent and no rule was left after {took:.1f} s")
            gone()
            gone(app="locked")
