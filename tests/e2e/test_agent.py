"""The agent in a pod: it listens on the pod's loopback alone, and answers nobody who hasn't the session's token."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from tests.e2e.kit.client import Client
from tests.e2e.kit.cluster import GONE, Cluster, main_process, running_agents, wait_until
from tests.e2e.kit.developer import Developer
from tests.e2e.kit.workloads import NOTE, Json

KNOCK = """
import socket, sys, time
end = time.monotonic() + 20
while True:
    try:
        sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=20)
        break
    except ConnectionRefusedError:
        assert time.monotonic() < end
        time.sleep(0.05)
sock.sendall(b"GET / HTTP/1.1\\r\\nHost: agent\\r\\n\\r\\n")
try:
    print(sock.recv(1000))
except ConnectionResetError:
    print(b"")
"""
"""Says what doesn't belong to an agent, as soon as it listens."""


def test_loopback_and_token(developer: Developer, cluster: Cluster, client: Client) -> None:
    """Others can't reach it, or get nothing; the session, which is held up meanwhile, is served all the same."""
    before = cluster.pod(developer.namespace, "flask")["spec"].get("ephemeralContainers", [])
    with developer.start("deployment/flask", "cat", "/scratch/note") as program:
        wait_until(program.sessions, GONE, program.errors)
        (session,) = program.sessions()
        os.kill(session, signal.SIGSTOP)
        try:
            wait_until(lambda: len(agents(cluster, developer)) > len(before), GONE, program.errors)
            pod, arguments = cluster.pod(developer.namespace, "flask"), agents(cluster, developer)[-1]["args"]
            port = arguments[arguments.index("--listen") + 1]
            name = pod["metadata"]["name"]
            for _ in range(2):
                knock = ("-n", developer.namespace, name, "-c", "shop", "--", "python3", "-c", KNOCK, port)
                assert cluster.kubectl("exec", *knock) == "b''\n"
            assert "refused" in client.get(f"{pod['status']['podIP']}:{port}/").text
        finally:
            os.kill(session, signal.SIGCONT)
        assert program.wait() == 0, program.errors()
        assert program.said() == NOTE


def agents(cluster: Cluster, developer: Developer) -> list[Json]:
    """The ephemeral containers of the target's pod."""
    found: list[Json] = cluster.pod(developer.namespace, "flask")["spec"].get("ephemeralContainers", [])
    return found


@pytest.mark.usefixtures("node")
def test_rights_in_the_kernel(developer: Developer, cluster: Cluster) -> None:
    """Once it serves it is the target's user, with no more rights than the target has and rules for connections need."""
    with developer.start("deployment/locked", "sleep", "60") as program:
        program.wait_said("  log          ", errors=True)

        def agent() -> tuple[Json, str]:
            pod = cluster.pod(developer.namespace, "locked")
            (name,) = running_agents(pod)
            return pod, name

        pid = main_process(agent)
        done = subprocess.run(["cat", f"/proc/{pid}/status"], capture_output=True, text=True, check=True)
        status = dict(line.split(":\t", 1) for line in done.stdout.splitlines() if ":\t" in line)
        assert status["Uid"].split() == ["10001"] * 4
        assert int(status["CapEff"], 16) & ~(1 << 12) == 0  # CAP_NET_ADMIN
        assert status["NoNewPrivs"] == "1"
