"""containerd, spoken to by its own program: whether it answers, the images it has, the containers it is to forget."""

from __future__ import annotations

from pathlib import Path

from tests.cluster.doing import attempt, run
from tests.cluster.layout import HERE, Layout
from tools.image.machine import full_name


def answers(layout: Layout) -> bool:
    """Whether containerd answers."""
    return attempt(*layout.ctr_command, "version").returncode == 0


def load_image(archive: Path, layout: Layout = HERE) -> None:
    """Load the images of an OCI archive into the running cluster; a pod that uses them says `imagePullPolicy: Never`."""
    run(*layout.ctr_command, "images", "import", str(archive))


def has_image(name: str, layout: Layout = HERE) -> bool:
    """Whether the running cluster has an image of that name."""
    return full_name(name) in run(*layout.ctr_command, "images", "list", "--quiet").split()


def forget_containers(layout: Layout) -> bool:
    """End and forget all containers, of which containerd would tell the next kubelet; whether there were any.

    Whatever of it fails was done already: a cluster that goes down may be in any state.
    """
    found: list[str] = []
    for things, force in (("tasks", ("--force",)), ("containers", ())):
        found = attempt(*layout.ctr_command, things, "list", "--quiet").stdout.split()
        if found:
            attempt(*layout.ctr_command, things, "remove", *force, *found)
    return bool(found)
