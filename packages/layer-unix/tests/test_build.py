"""The build: only what changed is made again, a broken source says where, and nothing half-made is left."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from mirrord_layer_unix import build


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of the package's own, built."""
    package = tmp_path / "src" / "mirrord_layer_unix"
    package.mkdir(parents=True)
    shutil.copytree(build.SOURCES, tmp_path / "csrc")
    monkeypatch.setattr(build, "PACKAGE", package)
    monkeypatch.setattr(build, "SOURCES", tmp_path / "csrc")
    monkeypatch.setattr(build, "SCRATCH", tmp_path / "build")
    assert sorted(path.name for path in build.build()) == [build.MODULE, build.LIBRARY]
    return tmp_path


def test_nothing_changed(copy: Path) -> None:
    assert build.build() == []


def test_touched_sources_are_not_changed_ones(copy: Path) -> None:
    os.utime(copy / "csrc" / "table.c")

    assert build.build() == []


@pytest.mark.parametrize(
    ("source", "made"),
    [
        ("table.c", {build.LIBRARY, build.MODULE}),
        ("link.c", {build.LIBRARY}),
        ("hooks/process.c", {build.LIBRARY}),
        ("hooklist.c", {build.MODULE}),
    ],
)
def test_what_changed_is_made_again(copy: Path, source: str, made: set[str]) -> None:
    with open(copy / "csrc" / source, "a") as file:
        file.write("/* changed */\n")

    assert {path.name for path in build.build()} == made
    assert build.build() == []


def test_missing_output_is_made_again(copy: Path) -> None:
    library = build.PACKAGE / build.LIBRARY
    library.unlink()

    assert build.build() == [library]


def test_broken_source(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open(copy / "csrc" / "link.c", "a") as file:
        file.write("int unfinished(\n")

    assert build.main([]) == 1
    assert "link.c" in capsys.readouterr().err
    assert sorted(os.listdir(build.PACKAGE)) == [build.MODULE, build.LIBRARY]


def test_hook_without_its_function_does_not_link(copy: Path) -> None:
    with open(copy / "csrc" / "hooks.def", "a") as file:
        file.write("HOOK(files, int, no_such_hook, (int a), (a), -1)\n")

    with pytest.raises(build.BuildFailed, match="hook_no_such_hook"):
        build.build()


def test_installed_package_has_no_sources(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "SOURCES", copy / "none")

    with pytest.raises(build.BuildFailed, match="checkout"):
        build.build()


def test_main_says_what_it_built(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build.main(["--force"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
