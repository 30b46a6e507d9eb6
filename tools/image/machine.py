"""What is decided about an image before anything runs: names, keys, apt's sources. No I/O but reading files."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

SKIPPED = {"__pycache__", "build", "dist", "tests"}
SHORT = "docker.io/library/"
"""What container runtimes put before the name of an image that has no host and no folder."""


def full_name(tag: str) -> str:
    """The name by which runtimes know an image.

    >>> full_name("mirrord-agent:0.1.0")
    'docker.io/library/mirrord-agent:0.1.0'
    >>> full_name("images.test/tools/mirrord-agent:1")
    'images.test/tools/mirrord-agent:1'
    """
    return tag if "/" in tag else SHORT + tag


def key_of(*parts: str, folders: Iterable[Path] = ()) -> str:
    """The key of something made from texts and the files below folders: the same inputs have the same key."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{len(part)}:{part}".encode())
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder)
            if path.is_file() and not SKIPPED.intersection(name.parts):
                content = path.read_bytes()
                digest.update(f"{name}:{len(content)}:".encode() + content)
    return digest.hexdigest()[:16]


def sources(targets: Iterable[str], release: str) -> list[str]:
    """Apt's sources of one release, from the lines `URI RELEASE COMPONENT KEYRING` that apt-get tells.

    A release's own updates belong to it; other people's repositories, and those of other releases, don't.
    """
    found = []
    for line in targets:
        uri, suite, component, keyring = [*line.split(), ""][:4]
        if suite == release or suite.startswith(f"{release}-"):
            signed = f"[signed-by={keyring}] " if keyring.startswith("/") else ""
            found.append(f"deb {signed}{uri} {suite} {component}")
    return found


def archive_name(tag: str) -> str:
    """The name of the file that an image of that name is written to."""
    return tag.replace("/", "_").replace(":", "-") + ".tar"


def base_reference(base: str) -> str:
    """What buildah calls a base: an image by its name, or an archive by its path."""
    if not Path(base).is_file():
        return base
    with tarfile.open(base) as archive:
        kind = "oci-archive" if "oci-layout" in archive.getnames() else "docker-archive"
    return f"{kind}:{Path(base).absolute()}"


def added_layers(archive: Path, base: list[str]) -> list[int]:
    """The sizes in bytes, not compressed, of the layers that the image of an OCI archive has beyond its base's.

    `base` has the digests of the base's layers, as `diff_ids` of the OCI image specification.
    """
    with tarfile.open(archive) as tar:

        def blob(digest: str) -> Any:
            return json.load(_member(tar, f"blobs/{digest.replace(':', '/')}"))

        manifest = blob(json.load(_member(tar, "index.json"))["manifests"][0]["digest"])
        layers = zip(blob(manifest["config"]["digest"])["rootfs"]["diff_ids"], manifest["layers"], strict=True)
        added = [layer["digest"].replace(":", "/") for diff_id, layer in layers if diff_id not in base]
        return [gzip.GzipFile(fileobj=_member(tar, f"blobs/{layer}")).seek(0, os.SEEK_END) for layer in added]


def _member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    content = tar.extractfile(name)
    assert content, f"{name} is no file"
    return content
