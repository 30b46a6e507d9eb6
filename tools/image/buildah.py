"""Images made by buildah in a folder of its own: as root, without a daemon, without systemd.

It keeps them by overlay mounts where the kernel allows, else as copies; STORAGE_DRIVER decides otherwise.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tools.image.programs import need, need_root, run


class Store:
    """Images and what they are made of, in one folder."""

    def __init__(self, folder: Path) -> None:
        need_root()
        need("buildah")
        self._options = ["--root", str(folder / "storage"), "--runroot", str(folder / "run")]
        if driver := os.environ.get("STORAGE_DRIVER"):  # buildah looks at it only where it isn't given a folder
            self._options += ["--storage-driver", driver]

    def buildah(self, command: str, *arguments: str) -> str:
        """Run a command of buildah."""
        return run("buildah", *self._options, command, *arguments)

    def find(self, name: str) -> str | None:
        """Return the id of the image of that name, if there is one; as `pull` and `add` write it, which is bare."""
        images = json.loads(self.buildah("images", "--json", "--no-trunc") or "[]")
        found = next((image["id"] for image in images if name in (image.get("names") or [])), None)
        return found and found.removeprefix("sha256:")

    def pull(self, reference: str, *, newer: bool) -> str:
        """Get an image from a registry or an archive; return its id. What is here already does, unless `newer`."""
        return self.buildah("pull", "--quiet", f"--policy={'ifnewer' if newer else 'missing'}", reference).strip()

    def add(self, archive: Path, name: str) -> str:
        """Make an image of one layer from the archive (tar) of a root; return its id."""
        container = self.buildah("from", "scratch").strip()
        self.buildah("add", "--quiet", container, str(archive), "/")
        return self.buildah("commit", "--quiet", "--rm", "--identity-label=false", container, name).strip()

    def build(self, file: Path, context: Path, name: str, *options: str, **arguments: str) -> None:
        """Build an image from a Containerfile."""
        given = (f"--build-arg={key}={value}" for key, value in arguments.items())
        fixed = ("--isolation=chroot", "--pull=false", "--identity-label=false", f"--file={file}", f"--tag={name}")
        self.buildah("build", *fixed, *options, *given, str(context))

    def inspect(self, name: str) -> dict[str, Any]:
        """An image's configuration and layers, as the OCI image specification has them."""
        image: dict[str, Any] = json.loads(self.buildah("inspect", "--type", "image", name))["OCIv1"]
        return image

    def run(self, name: str, *command: str, volumes: tuple[str, ...] = ()) -> str:
        """Run a command in a new container, which is thrown away; return what it prints."""
        container = self.buildah("from", name).strip()
        try:
            mounts = (f"--volume={volume}" for volume in volumes)
            return self.buildah("run", "--isolation=chroot", *mounts, container, "--", *command)
        finally:
            self.buildah("rm", container)

    def save(self, name: str, archive: Path, tag: str) -> None:
        """Write an image to an OCI archive, which `ctr images import` and others take."""
        made = archive.with_suffix(".part")
        made.unlink(missing_ok=True)
        self.buildah("push", "--quiet", name, f"oci-archive:{made}:{tag}")
        made.rename(archive)

    def prune(self) -> None:
        """Remove images without a name."""
        self.buildah("rmi", "--prune", "--force")
