"""The agent's image, built from this checkout, its root unpacked and run as a cluster would: read-only, without rights."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.kit.run import which
from tools.image.__main__ import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
LIMIT = 120_000_000
CONTAINER = """
mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && mount -t proc proc "$0/proc" || exit 99
for shell in sh bash dash; do [ ! -e "$0/bin/$shell" ] || mount --bind /dev/null "$0/bin/$shell" || exit 99; done
user=$1; shift
exec chroot --userspec="$user" --groups= "$0" "$@"
"""
"""A container as small as can be: the root can't be written, and the shells are gone."""
LOAD_ALL = """
import sys
sys.path.append("/opt/mirrord-agent")
from mirrord_agent import __main__, server
server.load_names()
import structlog
import nftables
nftables.Nftables()
print("all is loaded")
"""


@dataclass(frozen=True, slots=True)
class Image:
    """The image, unpacked."""

    archive: Path
    root: Path
    config: dict[str, Any]
    added: list[tarfile.TarInfo]
    """What the image has beyond its base."""
    size: int
    """The bytes of that."""

    def run(self, *command: str, user: str = "") -> str:
        """What a command prints in a container."""
        unshare = ["unshare", "--mount", "--pid", "--net", "--ipc", "--fork", "sh", "-c", CONTAINER, str(self.root)]
        environment = dict(pair.split("=", 1) for pair in self.config["Env"])
        command = (*unshare, user or self.config["User"], *command)
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd="/")
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr


def build() -> Path:
    done = subprocess.run([sys.executable, "-m", "tools.image"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    if os.geteuid() != 0:
        pytest.skip("needs root to build an image")
    for program in ("mmdebstrap", "buildah"):
        if which(program) is None:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{program} is not installed")
    archive = build()
    folder = tmp_path_factory.mktemp("image")
    subprocess.run(["tar", "-xf", archive, "-C", folder], check=True)

    def blob(entry: dict[str, str]) -> Path:
        return folder / "blobs" / entry["digest"].replace(":", "/")

    manifest = json.loads(blob(json.loads((folder / "index.json").read_text())["manifests"][0]).read_text())
    layers = [blob(layer) for layer in manifest["layers"]]
    root = folder / "root"
    root.mkdir()
    for layer in layers:
        subprocess.run(["tar", "-xpf", layer, "-C", root], check=True)
    sizes = json.loads(archive.with_suffix(".json").read_text())["layers"]
    added = []
    for layer in layers[-len(sizes) :]:
        with tarfile.open(layer) as tar:
            added += tar.getmembers()
    return Image(archive, root, json.loads(blob(manifest["config"]).read_text())["config"], added, sum(sizes))


def test_it_is_small(image: Image) -> None:
    assert sum(member.size for member in image.added) < image.size < LIMIT


def test_it_says_what_it_is(image: Image) -> None:
    labels = image.config["Labels"]

    assert image.config["User"] == "65532:65532"
    assert image.config["Entrypoint"] == ["mirrord-agent"]
    assert image.config.get("Cmd") is None
    assert image.config["WorkingDir"] == "/"
    assert image.run("mirrord-agent", "--version") == f"mirrord-agent {labels['org.opencontainers.image.version']}\n"


@pytest.mark.parametrize("user", ["65532:65532", "1000650000:0", "0:0"])
def test_anyone_can_run_it(image: Image, user: str) -> None:
    assert image.run("mirrord-agent", "--help", user=user).startswith("usage: mirrord-agent")
    assert image.run("python3", "-ISc", LOAD_ALL, user=user) == "all is loaded\n"


def test_it_starts_without_compiling(image: Image) -> None:
    loaded = re.findall(r"^# code object from '?(\S+?)'?$", image.run("python3", "-vISc", LOAD_ALL), re.MULTILINE)

    assert len(loaded) > 100
    assert [path for path in loaded if not path.endswith(".pyc")] == []


def test_it_adds_only_itself(image: Image) -> None:
    files = {member.name.removeprefix("./"): member for member in image.added if not member.isdir()}
    known = re.compile(r"opt/mirrord-agent/|usr/local/bin/mirrord-agent$|etc/(hosts|hostname|resolv\.conf)$")
    tools = re.compile(r"(^|/)(pip|setuptools|wheel|_?tests?)(-[\d.]+\.dist-info)?/")

    assert [name for name in files if not known.match(name)] == []
    assert [name for name in files if tools.search(name)] == []
    assert [name for name, member in files.items() if member.name.startswith("etc/") and member.size] == []


def test_nobody_gains_rights_by_it(image: Image) -> None:
    special = stat.S_ISUID | stat.S_ISGID | stat.S_IWOTH | stat.S_IWGRP

    assert [member.name for member in image.added if not member.issym() and member.mode & special] == []
    assert [member.name for member in image.added if any("capability" in name for name in member.pax_headers)] == []
    assert {(member.uid, member.gid) for member in image.added} == {(0, 0)}


def test_nothing_of_this_machine_is_inside(image: Image) -> None:
    listed = ["apt-get", "indextargets", "--format", "$(REPO_URI)"]
    own = set(subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split())
    own |= {value for name, value in os.environ.items() if value and name.lower().endswith(("_proxy", "index_url"))}
    files = [path for path in (image.root / "etc").rglob("*") if path.is_file() and not path.is_symlink()]
    files += [image.root / member.name for member in image.added if member.isfile()]
    found = [
        (str(path.relative_to(image.root)), word)
        for path in files
        for word in own
        if word.strip("/").encode() in path.read_bytes()
    ]

    assert own
    assert found == []
    assert list((image.root / "usr/local/share").glob("ca-certificates/*")) == []
    assert [(image.root / "etc" / name).stat().st_size for name in ("hostname", "hosts", "resolv.conf")] == [0, 0, 0]
    assert not (image.root / "etc/apt/sources.list").exists()
    assert list((image.root / "etc/apt/sources.list.d").iterdir()) == []
    assert [pair.split("=")[0] for pair in image.config["Env"]] == ["PATH"]


def test_the_same_is_not_built_again(image: Image) -> None:
    before = image.archive.stat()

    assert build() == image.archive
    assert image.archive.stat().st_mtime_ns == before.st_mtime_ns
