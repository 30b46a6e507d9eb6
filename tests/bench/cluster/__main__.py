"""Prints times and throughputs of a cluster beside kubectl's, in the same run. Nothing is asserted.

`./hatchw run bench-cluster`, as root; `--quick` leaves out the delay of 20 ms. It uses the cluster of KUBECONFIG, else
that of tests/cluster; what it needs there is in a namespace of its own. docs/benchmarks.md says what the numbers are
held against. Delay is added between this machine and the API server, for kubectl and mirrord alike.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.cluster import forwards, memory, stealing
from tests.bench.cluster.place import BENCH, ECHO, SINK, SOURCE, Place, make_place
from tests.bench.cluster.sessions import Sessions
from tests.cluster.__main__ import main as cluster_main
from tests.cluster.layout import HERE
from tests.e2e.kit import images
from tests.e2e.kit.cluster import Cluster
from tests.kit.run import Runner

PARTS = ("start", "files", "forward", "requests", "memory")


def main() -> int:
    """Run the benchmarks."""
    parser = argparse.ArgumentParser(prog="./hatchw run bench-cluster", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="without the delay of 20 ms")
    parser.add_argument("--times", type=int, default=3, metavar="N", help="runs of each row (default %(default)s)")
    parser.add_argument("--only", choices=PARTS, action="append", help="a part of the rows; may be given several times")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each row of requests (default %(default)s)")
    options = parser.parse_args()
    cluster = Cluster.chosen()
    if cluster.kubeconfig == HERE.kubeconfig and (code := cluster_main(["up"])):
        return code
    image, archive = images.build_agent()
    if cluster.ctr:
        images.load({image: archive}, cluster.ctr)
    else:
        print(f"the cluster has to have the image {image}, which is in {archive}")
    delays = (0.0,) if options.quick else (0.0, 0.02)
    began = time.monotonic()
    print(f"{platform.system()} {platform.release()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    version = json.loads(cluster.kubectl("get", "--raw", "/version"))["gitVersion"]
    print(f"Kubernetes {version}; load average at the start {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        ways, runs = Path(folder, "ways"), Path(folder, "runs")
        ways.mkdir()
        runs.mkdir()
        with make_place(cluster, image, delays, ways) as place:
            traffic = place.inside("client", f"{BENCH}/traffic", str(ECHO), str(SOURCE), str(SINK))
            with place.started(traffic):
                run(place, Sessions(place, Runner(runs)), options)
    print(f"\n{time.monotonic() - began:.0f} s; load average at the end {os.getloadavg()[0]:.1f}")
    return 0


def run(place: Place, sessions: Sessions, options: argparse.Namespace) -> None:
    """Print all rows that are wanted."""
    wanted = options.only or PARTS
    for delay in place.ways:
        if "start" in wanted:
            sessions.starts(delay, options.times)
        if "files" in wanted:
            sessions.rows(delay, options.times)
        if "forward" in wanted:
            forwards.rows(place, delay, options.times)
    if "requests" in wanted:
        stealing.rows(place, sessions, options.seconds)
    if "memory" in wanted:
        memory.rows(place, sessions)
    assert sessions.runner.leftovers() == []


if __name__ == "__main__":
    sys.exit(main())
