"""The typed face: path, version, ABI, the list of hooks; and what the object needs from the machine."""

from __future__ import annotations

import errno
import re
import subprocess
from pathlib import Path

import pytest

import mirrord_layer_unix
from layer_programs import need
from mirrord_layer_unix import Hook, build
from mirrord_layer_unix._pure import lib
from mirrord_protocol.failure import ERRNO_CODES


def test_path_is_absolute(library: Path) -> None:
    assert mirrord_layer_unix.library_path() == library
    assert library.is_absolute()


def test_abi() -> None:
    assert mirrord_layer_unix.ABI == 1


def test_hooks_are_those_of_the_table() -> None:
    included = re.findall(r'#include "(.+)"', (build.SOURCES / "hooks.def").read_text())
    text = "".join((build.SOURCES / name).read_text() for name in included)
    hooks = mirrord_layer_unix.hooks()

    assert sorted(included) == sorted(f"hooks/{path.name}" for path in build.SOURCES.glob("hooks/*.def"))
    assert hooks[0] == Hook("descriptors", "close")
    assert len(hooks) == len(set(hooks)) == len(re.findall(r"^\w*HOOK\(", text, re.MULTILINE))


def test_errno_has_every_name_of_the_schema() -> None:
    wrong = [name for name, code in ERRNO_CODES.items() if name and lib.errno_number(code) != getattr(errno, name)]

    assert wrong == []
    assert lib.errno_number(0) == lib.errno_number(9999) == errno.EIO


@pytest.mark.parametrize("name", [build.LIBRARY, build.MODULE])
def test_objects_need_no_libc_newer_than_they_say(library: Path, name: str) -> None:
    need("readelf")
    text = subprocess.run(["readelf", "-VdW", library.parent / name], capture_output=True, text=True, check=True).stdout
    versions = {tuple(map(int, version.split("."))) for version in re.findall(r"GLIBC_([\d.]+)", text)}

    assert max(versions) <= tuple(map(int, build.GLIBC.split(".")))
    assert re.findall(r"\(NEEDED\).*\[(.*)\]", text) == ["libc.so.6"]


def test_library_exports_its_hooks_and_nothing_else(library: Path) -> None:
    need("readelf")
    text = subprocess.run(["readelf", "--dyn-syms", "-W", library], capture_output=True, text=True, check=True).stdout
    exported = set(re.findall(r"(?:FUNC|OBJECT)\s+GLOBAL DEFAULT\s+\d+ (\w+)", text))

    assert exported == {hook.name for hook in mirrord_layer_unix.hooks()}


def test_hooks_need_little_stack(tmp_path: Path) -> None:
    """A program's thread may have hardly any: what needs room is in functions of its own, not inlined."""
    need("gcc")
    for unit in build.layer_sources():
        command = [
            "gcc",
            "-O2",
            "-c",
            "-fPIC",
            "-fvisibility=hidden",
            "-D_GNU_SOURCE",
            "-fstack-usage",
            *build.includes(),
        ]
        subprocess.run([*command, "-o", tmp_path / f"{unit.stem}.o", unit], check=True, cwd=tmp_path, timeout=60)
    frames = re.findall(
        r":(\w+)\t(\d+)\t", "".join(usage.read_text() for usage in sorted(tmp_path.glob("*.su"))), re.MULTILINE
    )
    large = {
        name: int(size) for name, size in frames if re.match("(hook|entry|ask|identity)_", name) and int(size) > 1500
    }

    assert len(frames) > 100
    assert large == {}
