"""The rows of the benchmarks about the network. Each stands beside the plain system or two socat hops in the same run."""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.bench import peers
from tests.kit import services
from tests.kit.around import Around
from tests.kit.network import PEER, TARGET
from tests.kit.run import PYTHON, Runner
from tests.kit.running import Running
from tests.kit.serving import Serving, free_port, serving

CALLS = str(Path(__file__).parent / "programs" / "network_calls.py")
CONNECTIONS = (1, 16, 64)
DOWNLOAD = 256_000_000
HELD = 1000


class NetworkBench:
    """One run of the network's rows against one target."""

    def __init__(self, around: Around, runner: Runner, seconds: float) -> None:
        self.around, self.target, self.runner, self.seconds = around, around.target, runner, seconds
        self.load, self.http = (peers.compiled(name, runner.folder) for name in ("load", "http"))

    def calls(self, name: str, agent: str) -> tuple[list[float], int]:
        """Milliseconds of a call, first and again, and the round trips of both, in a session of its own."""
        state = self.runner.folder / f"state-{time.monotonic_ns()}"
        environment = {"MIRRORD_AGENT_COMMAND": agent, "XDG_STATE_HOME": str(state)}
        done = self.runner.exec(self.target, PYTHON, "-B", CALLS, name, PEER, env=environment, timeout=300)
        if done.returncode:
            sys.exit(f"{name} failed:\n{done.stderr}")
        assert self.runner.leftovers() == []
        [log] = state.glob("mirrord/logs/*.log")
        ended = [json.loads(line) for line in log.read_text().splitlines() if '"session ended"' in line]
        return json.loads(done.stdout), ended[-1]["round_trips"]

    def rows(self, agent: str, delay: float, times: int) -> None:
        """Print the rows of one delay."""
        print(f"\nNetwork, round trip of {delay * 1000:g} ms; medians of {times}, in ms; RT: round trips of both times")
        print(f"{'':36}{'first':>9}{'again':>9}{'RT':>6}")
        nothing = self.calls("nothing", agent)[1]
        for name, title in (("resolve", "getaddrinfo, A and AAAA"), ("exchange", "connect and a first exchange")):
            seen = [self.calls(name, agent) for _ in range(times)]
            first, again = (statistics.median(column) for column in zip(*(taken for taken, _ in seen), strict=True))
            print(f"{title:36}{first:9.2f}{again:9.2f}{max(trips for _, trips in seen) - nothing:6}", flush=True)

    def requests(self) -> None:
        """Print requests per second and latencies of a port: the target's own, stolen, by two socat hops, mirrored."""
        own, hops, program = free_port(), free_port(), free_port()
        print(f"\nRequests on a port, keep-alive, {self.seconds:g} s each; p50 and p99 in ms")
        print(f"{'':36}" + "".join(f"{f'{count} conn.':>11}{'p50':>8}{'p99':>8}" for count in CONNECTIONS))
        with self.started(self.target.command(self.http, str(own))):
            plain = self.measured("the target itself", own)
            with self.started([self.http, str(program)]), self.socat(hops, program):
                self.measured("two socat hops", hops)
            with serving(self.runner, self.target, self.http, str(own)) as server:
                server.line()
                self.measured("stolen", own)
            with serving(self.runner, self.target, self.http, str(own), options=["-q"]) as server:
                server.line()
                passed = self.measured("passed on, mirrored", own)
        print(f"a passed request's added p50 at 1 connection: {passed - plain:.2f} ms")

    def measured(self, title: str, port: int) -> float:
        """Print one row; its median at one connection, in milliseconds."""
        print(f"{title:36}", end="")
        medians = []
        for count in CONNECTIONS:
            command = [self.load, TARGET, str(port), str(count), str(self.seconds)]
            done = subprocess.run(self.target.command(*command, outside=True), capture_output=True, text=True)
            if done.returncode:
                print(f"  failed: {done.stderr}", end="")
                continue
            rate, median, most = map(float, done.stdout.split())
            medians.append(median / 1000)
            print(f"{rate:9,.0f}/s{median / 1000:8.2f}{most / 1000:8.2f}", end="", flush=True)
        print()
        return medians[0] if medians else float("nan")

    def download(self, times: int) -> None:
        """Print the throughput of a download beside two socat hops."""
        self.around.services.serve(self.target.peer.listen((PEER, 190)), services.download(DOWNLOAD))
        listener = free_port()
        ours, theirs = [], []
        for _ in range(times):
            taken = json.loads(self.runner.exec(self.target, PYTHON, CALLS, "download", PEER, "190").stdout)
            ours.append(DOWNLOAD / taken[0] / 1e3)
            with self.socat(listener, 190, outgoing=True):
                done = self.runner.run([PYTHON, CALLS, "download", "127.0.0.1", str(listener)])
                theirs.append(DOWNLOAD / json.loads(done.stdout)[0] / 1e3)
        mine, other = statistics.median(ours), statistics.median(theirs)
        print(
            f"download of {DOWNLOAD // 10**6} MB: {mine:.0f} MB/s; two socat hops: {other:.0f} MB/s; ratio {mine / other:.2f}"
        )

    def memory(self) -> None:
        """Print what session and agent hold in memory with many connections open."""
        arguments = self.runner.arguments(self.target, [PYTHON, CALLS, "hold", PEER, str(HELD)], ["-q"])
        with self.runner.start(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout
            assert process.stdout.readline() == b"open\n"
            running = Running.find(self.runner, process)
            sizes = f"session {peers.resident(running.session):.1f} MiB, agent {peers.resident(running.agent):.1f} MiB"
            print(f"resident memory with {HELD:,} connections open: {sizes}")
            process.communicate(b"", 60)

    def local(self) -> None:
        """Print what connections of a program to itself cost under the layer."""
        arguments = [peers.compiled("local_network", self.runner.folder), "2000"]
        layered = self.runner.arguments(self.target, arguments, ["-q"])
        [ratio] = peers.ratios(arguments, layered, self.runner.environment())
        print(f"connect+accept of a program with itself, times native: {ratio:.3f}")

    @contextmanager
    def started(self, command: Sequence[str]) -> Iterator[None]:
        """Run a server of the benchmarks' own."""
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert Serving(process).line() == "listening"
            yield
            process.communicate()

    @contextmanager
    def socat(self, listen: int, to: int, *, outgoing: bool = False) -> Iterator[None]:
        """Two hops over a Unix socket: from a port of the target to one here, or from one here to one of the peer's."""
        with tempfile.TemporaryDirectory() as folder:
            middle = f"{folder}/middle"
            first = [f"TCP-LISTEN:{listen},fork,reuseaddr,nodelay,backlog=256", f"UNIX-CONNECT:{middle}"]
            second = [
                f"UNIX-LISTEN:{middle},fork,backlog=256",
                f"TCP:{PEER if outgoing else '127.0.0.1'}:{to},nodelay",
            ]
            socat = ["socat", "-b", "65536"]
            commands = [[*socat, *second], [*socat, *first]]
            there = 0 if outgoing else 1
            commands[there] = self.target.command(*commands[there])
            with contextlib.ExitStack() as stack:
                for command in commands:
                    process = stack.enter_context(subprocess.Popen(command))
                    stack.callback(process.terminate)
                    peers.wait_for(Path(middle))
                look = ["ss", "-Hltn", f"sport = :{listen}"]
                look = look if outgoing else self.target.command(*look)
                peers.wait(lambda: subprocess.run(look, capture_output=True, check=True).stdout)
                yield
