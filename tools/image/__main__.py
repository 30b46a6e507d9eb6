"""Builds the agent's image from this checkout, with no image registry: `./hatchw run image`, as root on Debian.

Prints the path of an OCI archive, which `ctr -n k8s.io images import` takes. Everything it makes is in .cluster/images;
what was built from the same inputs before isn't built again.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import shutil
import sys
import tomllib
from pathlib import Path

from tools.image import wheels
from tools.image.buildah import Store
from tools.image.machine import added_layers, archive_name, base_reference, full_name, key_of
from tools.image.programs import need_root, say
from tools.image.rootfs import rootfs

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / ".cluster" / "images"
CONTAINERFILE = ROOT / "packages" / "agent" / "Containerfile"
INSIDE = ("python3", "libnftables1")
PREPARED = "localhost/mirrord-agent:base"
BUILT = "localhost/mirrord-agent:built"
MEBIBYTE = 1 << 20


def main(arguments: list[str] | None = None) -> int:
    """Build the image; the process's exit code."""
    version = tomllib.loads((ROOT / "packages" / "agent" / "pyproject.toml").read_text())["project"]["version"]
    parser = argparse.ArgumentParser(prog="python -m tools.image", description=__doc__)
    parser.add_argument(
        "--base",
        metavar="REF|ARCHIVE",
        help="an image by name, or an OCI or Docker archive of one; default: a minimal system of this machine's release",
    )
    parser.add_argument(
        "--tag", default=f"mirrord-agent:{version}", help="the image's name; default: mirrord-agent:VERSION"
    )
    parser.add_argument("--fresh", action="store_true", help="build again, with all packages as they are now")
    chosen = parser.parse_args(arguments)
    need_root()
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        print(build(chosen.base, chosen.tag, version, fresh=chosen.fresh))
    return 0


def build(base: str | None, tag: str, version: str, *, fresh: bool) -> Path:
    """Return the archive of the agent's image, made before or now."""
    store = Store(FOLDER)
    image = store.pull(base_reference(base), newer=fresh) if base else _own_base(store, fresh=fresh)
    key = key_of(image, tag, folders=[Path(__file__).parent, *wheels.FOLDERS])
    archive = FOLDER / archive_name(tag)
    record = archive.with_suffix(".json")
    if fresh or not (archive.exists() and record.exists() and json.loads(record.read_text())["key"] == key):
        record.unlink(missing_ok=True)
        say(f"building {tag} on {base or 'a minimal system'}")
        _build(store, image, version)
        store.save(BUILT, archive, full_name(tag))
        layers = added_layers(archive, store.inspect(image)["rootfs"]["diff_ids"])
        store.prune()
        record.write_text(json.dumps({"key": key, "layers": layers}) + "\n")
    layers = json.loads(record.read_text())["layers"]
    sizes = " + ".join(f"{size / MEBIBYTE:.1f}" for size in layers)
    say(f"{tag}: {sum(layers) / MEBIBYTE:.1f} MiB beyond its base ({sizes})")
    return archive


def _own_base(store: Store, *, fresh: bool) -> str:
    root = rootfs(FOLDER, INSIDE, fresh=fresh)
    name = f"localhost/mirrord-base:{root.stem}"
    found = None if fresh else store.find(name)
    return found or store.add(root, name)


def _build(store: Store, base: str, version: str) -> None:
    """Build the image, by steps: what its Python is decides about the wheels."""
    context = FOLDER / "wheels"
    shutil.rmtree(context, ignore_errors=True)
    context.mkdir()
    wheels.ours(context)
    store.build(CONTAINERFILE, context, PREPARED, "--target=base", BASE=base)
    pip = next(context.glob("pip-*.whl")).name
    answer = store.run(PREPARED, *wheels.question(f"/wheels/{pip}"), volumes=(f"{context}:/wheels:ro",))
    wheels.dependencies(context, json.loads(answer))
    store.build(CONTAINERFILE, context, BUILT, BASE=PREPARED, PIP_NO_INDEX="1", VERSION=version)


if __name__ == "__main__":
    sys.exit(main())
