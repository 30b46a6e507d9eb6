"""Takes the cluster down: ends its processes, undoes what it changed, forgets what it remembered. Images stay."""

from __future__ import annotations

import shutil

from tests.cluster import host, processes, runtime
from tests.cluster.doing import say
from tests.cluster.layout import Layout


def down(layout: Layout, *, everything: bool = False) -> None:
    """Leave nothing running; with `everything` nothing of the cluster's folder is left either."""
    processes.kill(layout, "kubelet")  # first, or it would start pods again
    if processes.is_running(layout, "containerd"):
        runtime.forget_containers(layout)
    host.end_processes(layout)
    host.clean(layout)
    say("down")
    if everything:
        shutil.rmtree(layout.top)
        say(f"removed {layout.top}")
