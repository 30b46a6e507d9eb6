"""The archive of an image of one program: every digest and size in it is true."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from typing import Any

from tests.cluster.oci import program_archive

ARCHIVE = program_archive("docker.io/library/pause:1", b"\x7fELF program", "amd64", "pause")


def content(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {member.name: file.read() for member in tar if (file := tar.extractfile(member))}


def test_every_blob_has_its_digest() -> None:
    for name, blob in content(ARCHIVE).items():
        if name.startswith("blobs/"):
            assert name == f"blobs/sha256/{hashlib.sha256(blob).hexdigest()}"


def test_from_the_name_to_the_program() -> None:
    found = content(ARCHIVE)

    def follow(descriptor: dict[str, Any]) -> bytes:
        blob = found[f"blobs/sha256/{descriptor['digest'].removeprefix('sha256:')}"]
        assert len(blob) == descriptor["size"]
        return blob

    described = json.loads(found["index.json"])["manifests"][0]
    manifest = json.loads(follow(described))
    configuration = json.loads(follow(manifest["config"]))

    assert described["annotations"]["org.opencontainers.image.ref.name"] == "docker.io/library/pause:1"
    assert content(follow(manifest["layers"][0])) == {"pause": b"\x7fELF program"}
    assert configuration["rootfs"]["diff_ids"] == [manifest["layers"][0]["digest"]]
    assert (configuration["architecture"], configuration["config"]["Entrypoint"]) == ("amd64", ["/pause"])


def test_the_same_program_makes_the_same_archive() -> None:
    assert program_archive("docker.io/library/pause:1", b"\x7fELF program", "amd64", "pause") == ARCHIVE
