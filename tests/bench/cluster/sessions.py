"""Rows about whole sessions: how long until the program runs, and what it pays for files and connections."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench.cluster.place import SOURCE, Place
from tests.bench.files import SHOP
from tests.kit.run import PYTHON, Runner

PROGRAMS = Path(__file__).parent.parent / "programs"
MODES = {"job": "Job", "ephemeral": "ephemeral container"}
SAYS = ("python3", "-IS", "-c", "import time\nfor _ in range(60): print('here', flush=True), time.sleep(0.05)")
"""For kubectl, which may attach late, and then shows nothing of what was said before."""
PEERS = {
    "job": ("run", "peer-{}", "--restart=Never", "--attach", "--command"),
    "ephemeral": ("debug", "target", "--container=peer-{}", "--attach"),
}
"""What kubectl is asked for beside each mode."""
DOWNLOAD = 128_000_000
REFERENCE = {0.0: 157, 0.02: 104}
"""Megabytes a second of the reference's download, measured once on a cluster of one node."""
TELEPRESENCE: dict[str, tuple[str, dict[float, float]]] = {
    "small": ("open+fstat+read+close, small file", {0.0: 5.4, 0.02: 68}),
    "listing": ("list 100 entries with stats", {0.0: 15, 0.02: 50}),
    "modules": ("import of a package of 50 modules", {0.0: 319, 0.02: 3781}),
    "exchange": ("connect and a first exchange", {0.0: 4.9, 0.02: 47}),
}
"""Milliseconds of Telepresence with its sshfs mount, measured once on a cluster of one node."""


class Sessions:
    """Starts programs under `mirrord exec` with the target in the cluster."""

    def __init__(self, place: Place, runner: Runner) -> None:
        self.place, self.runner = place, runner
        for mode in MODES:
            fs = {"mode": "read", "read_only": [f"^{SHOP}/"]}
            config = {"agent": {"mode": mode, "image": place.image}, "feature": {"fs": fs}}
            (runner.folder / f"{mode}.json").write_text(json.dumps(config))

    def options(self, mode: str, *more: str) -> list[str]:
        """The options of `mirrord exec`."""
        return ["-q", "-f", str(self.runner.folder / f"{mode}.json"), *more]

    def variables(self, delay: float) -> dict[str, str]:
        """What is set for someone who is so far away."""
        # An installation on the PATH is this machine's, whoever starts it there (docs/decisions/0008).
        path = f"{Path(PYTHON).parent}{os.pathsep}{os.environ['PATH']}"
        return {"KUBECONFIG": str(self.place.ways[delay]), "PATH": path}

    def starts(self, delay: float, times: int) -> None:
        """Print the times until a program's first instruction, beside kubectl's with the same image."""
        print(f"\nUntil the program's first line, {delay * 1000:g} ms added; medians of {times}, in ms")
        print(f"{'':24}{'mirrord exec':>14}{'least':>8}{'kubectl':>10}{'least':>8}{'more':>8}")
        for mode, title in MODES.items():
            ours, theirs = [], []
            for _ in range(times):
                self.place.settle("target")  # a kubelet starts nothing in a pod within a second of another change
                ours.append(self._start(mode, delay))
                name = str(time.monotonic_ns())
                words = [word.format(name) for word in PEERS[mode]]
                options = ["--quiet", f"--image={self.place.image}", "--image-pull-policy=IfNotPresent", "--"]
                self.place.settle("target")
                theirs.append(first_line(self.place.kubectl(*words, *options, *SAYS, delay=delay)))
            mine, other = statistics.median(ours), statistics.median(theirs)
            figures = f"{mine:14.0f}{min(ours):8.0f}{other:10.0f}{min(theirs):8.0f}{mine - other:8.0f}"
            print(f"{title:24}{figures}", flush=True)

    def rows(self, delay: float, times: int) -> None:
        """Print what calls to files and the network take: one program after the other, in one session."""
        peer = self.place.address("client")
        commands = [f"{PYTHON} -B {PROGRAMS}/calls.py {name} {SHOP}" for name in ("small", "listing", "modules")]
        network = f"{PYTHON} -B {PROGRAMS}/network_calls.py"
        commands += [f"{network} exchange {peer}", f"{network} download {peer} {SOURCE} {DOWNLOAD}"]
        seen = [self._seen(delay, commands) for _ in range(times)]
        print(f"\nFiles and connections, {delay * 1000:g} ms added; medians of {times}, in ms")
        print(f"{'':36}{'first':>9}{'again':>9}   Telepresence, elsewhere")
        *calls, downloads = zip(*seen, strict=True)
        for (title, others), rows in zip(TELEPRESENCE.values(), calls, strict=True):
            first, *again = (statistics.median(column) for column in zip(*rows, strict=True))
            shown = f"{again[0]:9.2f}" if again else " " * 9
            print(f"{title:36}{first:9.2f}{shown}   {others[delay]:g}", flush=True)
        speed = DOWNLOAD / statistics.median(taken for (taken,) in downloads) / 1e3
        print(
            f"download of {DOWNLOAD // 10**6} MB, outgoing: {speed:.0f} MB/s; the reference, elsewhere: {REFERENCE[delay]}"
        )

    def _start(self, mode: str, delay: float) -> float:
        arguments = self.runner.arguments("pod/target", ["sh", "-c", "echo here"], self.options(mode))
        taken = first_line(arguments, self.runner.environment(self.variables(delay)))
        assert self.runner.leftovers() == []
        return taken

    def _seen(self, delay: float, commands: Sequence[str]) -> list[list[float]]:
        program = ["sh", "-c", " && ".join(commands)]
        options, variables = self.options("job"), self.variables(delay)
        done = self.runner.exec("pod/target", *program, options=options, env=variables, timeout=300)
        if done.returncode:
            sys.exit(f"{commands} failed:\n{done.stdout}{done.stderr}")
        assert self.runner.leftovers() == []
        return [json.loads(line) for line in done.stdout.splitlines()]


def first_line(arguments: Sequence[str], environment: dict[str, str] | None = None) -> float:
    """How long a command takes until it has said `here`, in milliseconds."""
    began = time.perf_counter()
    with subprocess.Popen(
        arguments, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout and process.stderr
        said = process.stdout.readline()
        taken = (time.perf_counter() - began) * 1000
        process.terminate()
        rest, error = process.communicate()
    if said != "here\n":
        sys.exit(f"{' '.join(arguments)} failed:\n{said}{rest}{error}")
    return taken
