"""Systems to make images from, for a cluster that has no registry: a minimal Debian with some packages."""

from __future__ import annotations

import fcntl
from collections.abc import Sequence
from pathlib import Path

from tests.cluster.doing import once
from tests.cluster.layout import HERE, Layout
from tools.image.buildah import Store
from tools.image.machine import archive_name, full_name
from tools.image.rootfs import rootfs


def base_image(name: str, packages: Sequence[str], layout: Layout = HERE) -> Path:
    """Return the OCI archive of an image of that name, made before or now: this machine's release, with these packages.

    It takes root, and mmdebstrap and buildah, which are installed if they are missing. runtime.load_image loads it.
    """
    layout.images.mkdir(parents=True, exist_ok=True)
    with (layout.images / "lock").open("w") as lock:  # as tools/image does
        fcntl.flock(lock, fcntl.LOCK_EX)
        root = rootfs(layout.images, packages)
        archive = layout.images / archive_name(name)
        with once(archive.with_suffix(".root"), root.name) as wanted:
            if wanted or not archive.exists():
                store = Store(layout.images)
                made = f"localhost/{archive.stem}:made"
                store.add(root, made)
                store.save(made, archive, full_name(name))
    return archive
