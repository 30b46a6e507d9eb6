"""Prints round trips and times beside a naive client, peers and the plain system, all in one run. Nothing is asserted.

`./hatchw run bench`; `--quick` leaves out the delay of 20 ms. What the numbers are held against is in
docs/benchmarks.md. Each program of a row runs under `mirrord exec` in a session of its own; round trips are what the
session counted, less those of a program that does nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench import naive, peers
from tests.bench.files import SHOP, fill, fill_bulk
from tests.bench.network import NetworkBench
from tests.kit.around import start_around
from tests.kit.run import MARK, PYTHON, Runner, processes
from tests.kit.target import Target, start_target

CALLS = str(Path(__file__).parent / "programs" / "calls.py")
AGENT = (sys.executable, "-P", "-m", "mirrord_agent")
ROWS = {
    "small": ("open+fstat+read+close, small file", "1, then 0"),
    "stat": ("stat", "1, then 0"),
    "negative": ("stat of what isn't there", "1, then 0"),
    "listing": ("list 100 entries with stats", "1"),
    "reads": ("10 MB in reads of 4 KiB", "≤ 2 + transfer"),
    "modules": ("import of a package of 50 modules", "≤ 60"),
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What one run of a program took."""

    times: list[float]
    """Milliseconds."""
    round_trips: int


def command(delay: float) -> str:
    """What starts an agent behind a delay of each way."""
    relay = (
        [sys.executable, "-m", "mirrord_protocol.testing", "relay", "--delay", str(delay / 2), "--"] if delay else []
    )
    return " ".join([*relay, *AGENT])


class Bench:
    """One run of all rows against one target."""

    def __init__(self, target: Target, runner: Runner) -> None:
        self.target = target
        self.runner = runner
        config = {"feature": {"fs": {"mode": "read", "read_only": [f"^{SHOP}/"]}}}
        (runner.folder / "mirrord.json").write_text(json.dumps(config))

    def run(self, name: str, delay: float) -> Seen:
        """Run one of the programs under mirrord."""
        state = self.runner.folder / f"state-{time.monotonic_ns()}"
        program = [PYTHON, "-B", CALLS, name, SHOP]
        environment = {"MIRRORD_AGENT_COMMAND": command(delay), "XDG_STATE_HOME": str(state)}
        done = self.runner.exec(
            self.target, *program, options=("-q", "-f", "mirrord.json"), env=environment, timeout=300
        )
        if done.returncode:
            sys.exit(f"{name} failed:\n{done.stderr}")
        assert self.runner.leftovers() == []
        [log] = state.glob("mirrord/logs/*.log")
        ended = [json.loads(line) for line in log.read_text().splitlines() if '"session ended"' in line]
        return Seen(json.loads(done.stdout), ended[-1]["round_trips"])

    def rows(self, delay: float, times: int) -> None:
        """Print the rows of one delay."""
        print(
            f"\nRound trip of {delay * 1000:g} ms; medians of {times}, in ms; RT: round trips of all of a row's times"
        )
        print(f"{'':36}{'first':>9}{'again':>9}{'RT':>6}   {'naive':>9}{'RT':>6}   budget in RT")
        nothing = self.run("nothing", delay).round_trips
        for name, (title, budget) in ROWS.items():
            seen = [self.run(name, delay) for _ in range(times)]
            other, other_trips = naive.measure(name, self.target, command(delay), SHOP)
            first, *again = (statistics.median(column) for column in zip(*(run.times for run in seen), strict=True))
            shown = f"{again[0]:9.2f}" if again else " " * 9
            trips = max(run.round_trips for run in seen) - nothing
            print(f"{title:36}{first:9.2f}{shown}{trips:6}   {other[0]:9.2f}{other_trips:6}   {budget}", flush=True)

    def start(self, delay: float, times: int) -> None:
        """Print the time to a program's first instruction."""
        taken = []
        for _ in range(times):
            before = time.time()
            environment = {"MIRRORD_AGENT_COMMAND": command(delay)}
            done = self.runner.exec(self.target, "bash", "-c", "echo $EPOCHREALTIME", env=environment)
            taken.append((float(done.stdout) - before) * 1000)
        print(f"first instruction at {delay * 1000:g} ms round trip: {statistics.median(taken):.0f} ms (budget 500)")

    def bulk(self, times: int) -> None:
        """Print bulk throughput beside two socat hops."""
        size = self.target.path(f"{SHOP}/bulk.bin").stat().st_size
        ours, theirs = [], []
        for _ in range(times):
            ours.append(size / self.run("bulk", 0).times[0] / 1e3)
            with tempfile.TemporaryDirectory() as folder:
                theirs.append(peers.socat_throughput(self.target.path(f"{SHOP}/bulk.bin"), Path(folder)))
        mine, other = statistics.median(ours), statistics.median(theirs)
        print(f"bulk: {mine:.0f} MB/s; two socat hops: {other:.0f} MB/s; ratio {mine / other:.2f} (budget 0.60)")

    def beside(self) -> None:
        """Print how long a request takes while a large file comes, and without."""
        print("a request (statvfs), in ms:", end="")
        for name in ("alone", "beside"):
            times = sorted(self.run(name, 0).times)
            middle, most = statistics.median(times), times[len(times) * 99 // 100]
            print(f" {name}{' bulk' * (name == 'beside')} {middle:.2f}, 1 in 100 over {most:.2f};", end="")
        print()

    def local(self) -> None:
        """Print what local calls cost under the layer."""
        program = peers.compiled("local", self.runner.folder)
        arguments = [program, "/usr/share/doc", "5000"]
        layered = self.runner.arguments(self.target, arguments, ["-q"])
        opened, status = peers.ratios(arguments, layered, self.runner.environment())
        print(f"local calls, times native: open+close {opened:.3f}, stat {status:.3f} (budget 1.05)")

    def memory(self) -> None:
        """Print what session and agent hold in memory, idle after a few files."""
        program = f"cat {SHOP}/small.txt >/dev/null; ls {SHOP}/hundred >/dev/null; echo ready; read line"
        arguments = self.runner.arguments(self.target, ["bash", "-c", program], ["-q"])
        with self.runner.start(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout
            process.stdout.readline()
            for pid, line in processes(self.runner.mark).items():
                if pid != process.pid:
                    name = "agent" if "mirrord_agent" in line else "session"
                    print(f"resident memory of the {name}: {peers.resident(pid):.1f} MiB", end="")
                    print(" (budget 55)" if name == "agent" else "")
            process.communicate(b"\n", 30)


def files(bench: Bench, delays: Sequence[float], times: int) -> None:
    """Print the rows about files."""
    fill(bench.target.write)
    fill_bulk(bench.target.write)
    for delay in delays:
        bench.rows(delay, times)
        bench.start(delay, times)
    print()
    bench.bulk(times)
    bench.beside()
    bench.local()
    bench.memory()
    assert bench.runner.leftovers() == []


def network(bench: NetworkBench, delays: Sequence[float], times: int) -> None:
    """Print the rows about the network."""
    for delay in delays:
        bench.rows(command(delay), delay, times)
    bench.requests()
    bench.download(times)
    bench.memory()
    bench.local()
    assert bench.runner.leftovers() == []


def main() -> int:
    """Run the benchmarks."""
    parser = argparse.ArgumentParser(prog="./hatchw run bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="without the delay of 20 ms")
    parser.add_argument("--times", type=int, default=5, metavar="N", help="runs of each row (default %(default)s)")
    parser.add_argument("--only", choices=("files", "network"), help="one half of the rows")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each row of requests (default %(default)s)")
    options = parser.parse_args()
    delays = (0.0,) if options.quick else (0.0, 0.02)
    print(f"{platform.system()} {platform.release()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    if options.only != "network":
        with tempfile.TemporaryDirectory() as folder, start_target({MARK: ""}) as target:
            files(Bench(target, Runner(Path(folder))), delays, options.times)
    if options.only != "files":
        with tempfile.TemporaryDirectory() as folder:
            root, runs = Path(folder, "root"), Path(folder, "runs")
            root.mkdir()
            runs.mkdir()
            with start_around({MARK: ""}, root=root) as around:
                network(NetworkBench(around, Runner(runs), options.seconds), delays, options.times)
    return 0


if __name__ == "__main__":
    sys.exit(main())
