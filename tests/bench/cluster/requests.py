"""Rows about requests that are stolen, and about memory with many connections."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.bench import peers
from tests.bench.cluster.place import BENCH, HTTP, Place
from tests.bench.cluster.sessions import PROGRAMS, Sessions
from tests.kit.run import PYTHON, processes
from tests.kit.serving import Serving, serving

CONNECTIONS = (1, 16, 64)
HELD = 1000
AGENT = """
import pathlib, sys
for folder in pathlib.Path("/proc").iterdir():
    try:
        if folder.name.isdecimal() and b"mirrord-agent" in (folder / "cmdline").read_bytes():
            group, status = (folder / "cgroup").read_text(), (folder / "status").read_text()
            if sys.argv[1] in group or sys.argv[1].replace("-", "_") in group:
                print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")))
    except OSError:
        pass
"""
"""Prints the resident memory of a pod's agent in KiB, to whoever sees the node's processes."""


def requests(place: Place, sessions: Sessions, seconds: float) -> None:
    """Print requests per second and latencies of a port of the target: its own, by kubectl, stolen."""
    print(f"\nRequests on a port, keep-alive, {seconds:g} s each; p50 and p99 in ms")
    print(f"{'':36}" + "".join(f"{f'{count} conn.':>11}{'p50':>8}{'p99':>8}" for count in CONNECTIONS))
    address = place.address("target")
    from_pod = place.inside("client", f"{BENCH}/load", address, str(HTTP))
    with place.started(place.inside("target", f"{BENCH}/http", str(HTTP))):
        _measured("the target itself, from a pod", from_pod, seconds)
        with _kubectl(place) as port:
            here = [peers.compiled("load", sessions.runner.folder), "127.0.0.1", str(port)]
            _measured("the target, by kubectl port-forward", here, seconds)
        program = [peers.compiled("http", sessions.runner.folder), str(HTTP)]
        for mode in ("job", "ephemeral"):
            env = sessions.developer(0.0).environment()
            with serving(
                sessions.runner, "pod/target", *program, options=sessions.options(mode, "--steal"), env=env
            ) as server:
                server.line()
                _measured(f"stolen, {mode}, from a pod", from_pod, seconds)


def _measured(title: str, load: Sequence[str], seconds: float) -> None:
    print(f"{title:36}", end="")
    for count in CONNECTIONS:
        done = subprocess.run(
            [*load, str(count), str(seconds)], stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        if done.returncode:
            print(f"  failed: {done.stderr}", end="")
            continue
        rate, median, most = map(float, done.stdout.split())
        print(f"{rate:9,.0f}/s{median / 1000:8.2f}{most / 1000:8.2f}", end="", flush=True)
    print()


@contextmanager
def _kubectl(place: Place) -> Iterator[int]:
    command = place.kubectl("port-forward", "--address=127.0.0.1", "pod/target", f":{HTTP}")
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        said = Serving(process).line()
        yield int(said.split()[2].rpartition(":")[2])
        process.terminate()


def memory(place: Place, sessions: Sessions) -> None:
    """Print what session and agent hold in memory: idle, and with many connections open."""
    runner = sessions.runner
    idle = ["sh", "-c", "echo open; read line"]
    held = [PYTHON, f"{PROGRAMS}/network_calls.py", "hold", place.address("client"), str(HELD)]
    print("\nResident memory, in MiB")
    for title, program in (("idle", idle), (f"{HELD:,} outgoing connections", held)):
        arguments = runner.arguments("pod/target", program, sessions.options("job"))
        env = sessions.developer(0.0).environment()
        with runner.start(arguments, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert Serving(process).line() == "open"
            (pod,) = place.cluster.get(place.namespace, "pods", "-l", "app.kubernetes.io/name=mirrord-agent")["items"]
            agent = place.run_inside("client", "python3", "-c", AGENT, pod["metadata"]["uid"])
            (session,) = (
                pid for pid, line in processes(runner.mark).items() if pid != process.pid and "mirrord_cli" in line
            )
            print(f"{title:36}agent {int(agent) / 1024:.1f}, session {peers.resident(session):.1f}", flush=True)
            process.communicate(b"\n", 60)
        if process.returncode:
            sys.exit(f"{program} failed: {process.returncode}")
