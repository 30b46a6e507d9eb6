"""The images that the end-to-end tests' pods run, built with no registry, and the folder that the same programs run in here.

Everything is in .cluster/, and what was made from the same inputs isn't made again.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

from mirrord_cli.cluster.agents.spec import default_image
from tools.image.buildah import Store
from tools.image.machine import archive_name, full_name, key_of
from tools.image.programs import need, run, say
from tools.image.rootfs import rootfs

HERE = Path(__file__).parent.parent
FOLDER = HERE.parent.parent / ".cluster" / "images"
SHOP = FOLDER.parent / "e2e" / "shop"
"""The programs and what those in Node need: where a developer runs them, and what becomes part of the images."""
INSIDE = ("gunicorn", "nodejs", "python3", "python3-flask")
PREFIX = os.environ.get("MIRRORD_E2E_IMAGES", "")
"""What comes before the names of images, where a cluster has them from a registry."""
SHOP_IMAGE, USER_IMAGE, GO_IMAGE = (f"{PREFIX}mirrord-e2e-{name}:1" for name in ("shop", "user", "go"))
AGENT_IMAGE = os.environ.get("MIRRORD_E2E_AGENT_IMAGE", "")
"""Another image of the agent than the one that mirrord takes by itself."""


def prepare_programs() -> Path:
    """Return the folder that the programs run in, as a developer would have it."""
    key = key_of(folders=[HERE / "programs"])
    mark = SHOP / ".made"
    if not (mark.exists() and mark.read_text() == key):
        need("npm")
        shutil.rmtree(SHOP, ignore_errors=True)
        shutil.copytree(HERE / "programs", SHOP)
        say("installing what programs in Node need")
        run("npm", "ci", "--prefix", str(SHOP), "--ignore-scripts", "--no-audit", "--no-fund")
        mark.write_text(key)
    return SHOP


def build(go: str) -> dict[str, Path]:
    """Return the OCI archive of each image, by the image's name.

    Args:
        go: The program that compiles Go.
    """
    agent, archive = build_agent()
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        prepare_programs()
        return {agent: archive} | _build_shops(go)


def build_agent() -> tuple[str, Path]:
    """Return the name of the agent's image and its OCI archive."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    agent = AGENT_IMAGE or default_image()
    command = [sys.executable, "-m", "tools.image", "--tag", agent]
    built = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=HERE.parent.parent)
    return agent, Path(built.stdout.strip())


def _build_shops(go: str) -> dict[str, Path]:
    names = {"shop": SHOP_IMAGE, "user": USER_IMAGE, "go": GO_IMAGE}
    archives = {name: FOLDER / archive_name(name) for name in names.values()}
    root = rootfs(FOLDER, INSIDE)
    files = [(HERE / name).read_text() for name in ("Containerfile", "go/main.go", "go/go.mod")]
    key = key_of(root.name, *names.values(), *files, folders=[HERE / "programs"])
    record = FOLDER / "e2e.json"
    if record.exists() and json.loads(record.read_text()) == key and all(map(Path.exists, archives.values())):
        return archives
    record.unlink(missing_ok=True)
    say("building the images of the end-to-end tests")
    store = Store(FOLDER)
    base = f"localhost/mirrord-e2e-base:{root.stem}"
    if not store.find(base):
        store.add(root, base)
    context = FOLDER.parent / "e2e"
    flags = ("-trimpath", "-ldflags", "-s -w", "-o", str(context / "program"))
    run(go, "build", "-C", str(HERE / "go"), *flags, ".", CGO_ENABLED="0", GOFLAGS="-mod=mod", GOTOOLCHAIN="local")
    for stage, name in names.items():
        built = f"localhost/mirrord-e2e-{stage}:built"
        store.build(HERE / "Containerfile", context, built, f"--target={stage}", BASE=base)
        store.save(built, archives[name], full_name(name))
    store.prune()
    record.write_text(json.dumps(key))
    return archives


def load(archives: Mapping[str, Path], ctr: tuple[str, ...]) -> None:
    """Have these images in a node's containerd, which `ctr` speaks to."""
    lines = run(*ctr, "images", "list").splitlines()
    there = {line.split()[0]: line.split()[2] for line in lines[1:]}
    for name, archive in archives.items():
        if there.get(full_name(name)) != _digest(archive):
            say(f"loading {name}")
            run(*ctr, "images", "import", str(archive))


def _digest(archive: Path) -> str:
    """Return the digest by which runtimes know the image of an OCI archive."""
    with tarfile.open(archive) as tar:
        index = tar.extractfile("index.json")
        assert index
        digest: str = json.load(index)["manifests"][0]["digest"]
        return digest
