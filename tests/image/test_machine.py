"""Names, keys, apt's sources and sizes of images, with nothing of the machine."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from tools.image.machine import added_layers, archive_name, base_reference, full_name, key_of, sources


def pack(archive: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(archive, "w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return archive


@pytest.mark.parametrize(
    ("tag", "name", "file"),
    [
        ("mirrord-agent:0.1.0", "docker.io/library/mirrord-agent:0.1.0", "mirrord-agent-0.1.0.tar"),
        (
            "images.test/team/mirrord-agent:1",
            "images.test/team/mirrord-agent:1",
            "images.test_team_mirrord-agent-1.tar",
        ),
    ],
)
def test_names(tag: str, name: str, file: str) -> None:
    assert (full_name(tag), archive_name(tag)) == (name, file)


def test_a_key_is_that_of_the_texts_and_files(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.py").write_text("1")
    key = key_of("x", "y", folders=[tmp_path])

    (tmp_path / "a" / "__pycache__").mkdir()
    (tmp_path / "a" / "__pycache__" / "one.pyc").write_text("compiled")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_one.py").write_text("2")
    assert key_of("x", "y", folders=[tmp_path]) == key

    assert key_of("xy", "", folders=[tmp_path]) != key
    (tmp_path / "a" / "one.py").rename(tmp_path / "a" / "two.py")
    assert key_of("x", "y", folders=[tmp_path]) != key


def test_apts_sources_are_those_of_the_release() -> None:
    told = [
        "http://mirror.test/debian/ bookworm main $(SIGNED_BY)",
        "http://mirror.test/debian/ bookworm-updates main /usr/share/keyrings/debian.gpg",
        "http://mirror.test/debian/ bookworm-updates contrib",
        "http://mirror.test/debian/ trixie main $(SIGNED_BY)",
        "http://others.test/node nodistro main $(SIGNED_BY)",
    ]

    assert sources(told, "bookworm") == [
        "deb http://mirror.test/debian/ bookworm main",
        "deb [signed-by=/usr/share/keyrings/debian.gpg] http://mirror.test/debian/ bookworm-updates main",
        "deb http://mirror.test/debian/ bookworm-updates contrib",
    ]


def test_a_base_is_a_name_or_an_archive(tmp_path: Path) -> None:
    oci = pack(tmp_path / "a.tar", {"oci-layout": b"{}", "index.json": b"{}"})
    docker = pack(tmp_path / "b.tar", {"manifest.json": b"[]"})

    assert base_reference("python:3.13-slim") == "python:3.13-slim"
    assert base_reference(str(oci)) == f"oci-archive:{oci}"
    assert base_reference(str(docker)) == f"docker-archive:{docker}"


def test_layers_beyond_the_base_are_counted_as_they_are_unpacked(tmp_path: Path) -> None:
    files: dict[str, bytes] = {}

    def blob(content: bytes) -> dict[str, str]:
        digest = hashlib.sha256(content).hexdigest()
        files[f"blobs/sha256/{digest}"] = content
        return {"digest": f"sha256:{digest}"}

    layers = [b"base" * 1000, b"a" * 5000, b"b" * 700]
    config = blob(json.dumps({"rootfs": {"diff_ids": ["sha256:0", "sha256:1", "sha256:2"]}}).encode())
    packed = [blob(gzip.compress(layer)) for layer in layers]
    manifest = blob(json.dumps({"config": config, "layers": packed}).encode())
    files["index.json"] = json.dumps({"manifests": [manifest]}).encode()

    assert added_layers(pack(tmp_path / "image.tar", files), ["sha256:0"]) == [5000, 700]
