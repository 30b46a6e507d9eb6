"""Images for the cluster, which has no registry: loading archives into containerd, and making systems to begin with.

Pods that use them say `imagePullPolicy: Never`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.cluster.doing import attempt, run
from tests.cluster.layout import HERE, Layout
from tools.image.buildah import Store
from tools.image.machine import archive_name, full_name
from tools.image.rootfs import rootfs


def load_image(archive: Path, layout: Layout = HERE) -> None:
    """Load the images of an OCI archive into the running cluster."""
    run(*layout.ctr_command, "images", "import", str(archive))


def reachable(layout: Layout = HERE) -> bool:
    """Whether containerd answers."""
    return attempt(*layout.ctr_command, "version").returncode == 0


def loaded(name: str, layout: Layout = HERE) -> bool:
    """Whether the running cluster has an image of that name."""
    return full_name(name) in run(*layout.ctr_command, "images", "list", "--quiet").split()


def base_image(name: str, packages: Sequence[str], layout: Layout = HERE) -> Path:
    """Return the OCI archive of an image of that name, made before or now: a minimal Debian with these packages.

    As root, with mmdebstrap and buildah, which are installed if they are missing.
    """
    root = rootfs(layout.images, packages)
    archive, mark = (layout.images / f"{archive_name(name).removesuffix('.tar')}{end}" for end in (".tar", ".root"))
    if not (archive.exists() and mark.exists() and mark.read_text() == root.name):
        mark.unlink(missing_ok=True)
        store = Store(layout.images)
        made = f"localhost/{archive.stem}:made"
        store.add(root, made)
        store.save(made, archive, full_name(name))
        mark.write_text(root.name)
    return archive
