"""Rows about memory: of the agent in its pod, and of the session here."""

from __future__ import annotations

import subprocess
import sys

from tests.bench import peers
from tests.bench.cluster.place import Place
from tests.bench.cluster.sessions import PROGRAMS, Sessions
from tests.kit.run import PYTHON, Runner, processes
from tests.kit.serving import Serving

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


def rows(place: Place, sessions: Sessions) -> None:
    """Print resident memory: idle, and with many connections open."""
    runner = sessions.runner
    idle = ["sh", "-c", "echo open; read line"]
    held = [PYTHON, f"{PROGRAMS}/network_calls.py", "hold", place.address("client"), str(HELD)]
    print("\nResident memory, in MiB")
    print(f"{'':36}{'agent':>10}{'session':>10}")
    for title, program in (("idle", idle), (f"{HELD:,} outgoing connections", held)):
        arguments = runner.arguments("pod/target", program, sessions.options("job"))
        with runner.start(
            arguments, env=sessions.variables(0.0), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            said = Serving(process).line()
            if said != "open":
                sys.exit(f"{program} failed: {said}")
            print(f"{title:36}{_agent(place):10.1f}{_session(runner, process.pid):10.1f}", flush=True)
            process.communicate(b"\n", 60)
        assert runner.leftovers() == []


def _agent(place: Place) -> float:
    """Return what the only Job's agent holds."""
    (pod,) = place.cluster.get(place.namespace, "pods", "-l", "app.kubernetes.io/name=mirrord-agent")["items"]
    return int(place.run_inside("client", "python3", "-c", AGENT, pod["metadata"]["uid"])) / 1024


def _session(runner: Runner, program: int) -> float:
    """Return what a program's session holds."""
    found = processes(runner.mark).items()
    (session,) = (pid for pid, line in found if pid != program and "mirrord_cli" in line)
    return peers.resident(session)
