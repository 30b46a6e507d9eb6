"""A Kubernetes of one node on this machine: `./hatchw run cluster:up`, `cluster:down`, `cluster:status`, as root.

It consists of Debian's packages and of Go's modules, needs no registry of images, and keeps everything in .cluster/.
docs/cluster-for-tests.md says more.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shlex
import sys

from tests.cluster.building import missing_packages
from tests.cluster.doing import Failed, say
from tests.cluster.down import down
from tests.cluster.layout import HERE
from tests.cluster.status import status
from tests.cluster.up import up


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; the process's exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="have it run; repairs what is dead")
    downs = commands.add_parser("down", help="leave nothing running; programs and images stay")
    downs.add_argument("--all", action="store_true", help="remove programs and images too: all of .cluster/")
    commands.add_parser("status", help="what runs; the exit code is 0 if all is well")
    chosen = parser.parse_args(arguments)
    if os.getuid():
        missing = missing_packages()
        hint = f"; it would also install: apt-get install {' '.join(missing)}" if missing else ""
        print(f"a cluster needs root: nodes mount, and make networks and control groups{hint}", file=sys.stderr)
        return 2
    if chosen.command == "status":
        return status(HERE)
    HERE.top.mkdir(mode=0o755, exist_ok=True)
    with HERE.lock.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another who changes the cluster")
            fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            if chosen.command == "up":
                up(HERE)
                print(f"export KUBECONFIG={shlex.quote(str(HERE.kubeconfig))}")
            else:
                down(HERE, everything=chosen.all)
        except Failed as failed:
            print(failed, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
