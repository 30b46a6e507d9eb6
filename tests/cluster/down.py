"""Takes the cluster down: ends its processes, undoes what it changed, forgets what it remembered. Images stay."""

from __future__ import annotations

import shutil

from tests.cluster import host, processes, runtime
from tests.cluster.daemons import daemons
from tests.cluster.doing import say
from tests.cluster.layout import Layout


def down(layout: Layout, *, everything: bool = False) -> None:
    """Leave nothing running; with `everything` nothing of the cluster's folder is left either."""
    by_name = {daemon.name: daemon for daemon in daemons(layout)}
    processes.kill(layout, by_name["kubelet"])  # first, or it would start pods again
    if processes.is_running(layout, by_name["containerd"]):
        runtime.forget_containers(layout)
    host.end_processes(layout)
    host.clean(layout)
    say("down")
    if everything:
        shutil.rmtree(layout.top)
        say(f"removed {layout.top}")
