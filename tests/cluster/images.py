"""Systems to make images from, for a cluster that has no registry: a minimal Debian with some packages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.cluster.layout import HERE, Layout
from tools.image.buildah import Store
from tools.image.machine import archive_name, full_name
from tools.image.rootfs import rootfs


def base_image(name: str, packages: Sequence[str], layout: Layout = HERE) -> Path:
    """Return the OCI archive of an image of that name, made before or now: this machine's release, with these packages.

    It takes root, and mmdebstrap and buildah, which are installed if they are missing. runtime.load_image loads it.
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
