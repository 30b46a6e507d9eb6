"""What coverage tests share: a tree for programs to look at, and a session that answers for it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "packages" / "layer-unix" / "tests"))  # `layer_session` and its kin

from layer_programs import need
from layer_session import Session, scripted_session
from mirrord_layer_unix import build

SQL = "create table fruit (name text, price integer); insert into fruit values ('pear', 3), ('plum', 2), ('fig', 9);"


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    """The directory that plays the target's files: programs see it as `/remote-files`."""
    return tmp_path / "truth"


@pytest.fixture
def tree(truth: Path) -> Path:
    """A tree in that directory."""
    root = truth / "tree"
    (root / "folder" / "deep").mkdir(parents=True)
    (root / "folder" / "deep" / "file").write_text("deep\n")
    (root / "folder" / "up").symlink_to("..")
    (root / "lines").write_text("".join(f"line {number}\n" for number in range(100)))
    (root / "large").write_bytes(bytes(range(256)) * 8000)
    (root / "link").symlink_to("lines")
    (root / "dangling").symlink_to("nowhere")
    (root / "shop").mkdir()
    (root / "shop" / "__init__.py").write_text("")
    (root / "shop" / "prices.py").write_text("PRICE = 3\n")
    (root / "shop.js").write_text("exports.price = require('./data.json').price\n")
    (root / "data.json").write_text('{"price": 3}\n')
    (root / "shop.properties").write_text("price = 3\n")
    (root / "lib.sh").write_text('echo "sourced $BASH_SOURCE"\n')
    (root / "list").write_text("lines\nfolder/deep\n")
    (root / "shop.sql").write_text(SQL)
    with sqlite3.connect(root / "shop.db") as database:
        database.executescript(SQL)
    database.close()
    with zipfile.ZipFile(root / "shop.zip", "w") as archive:
        archive.write(root / "lines", "lines")
    with tarfile.open(root / "shop.tar", "w") as packed:
        for name in ("lines", "folder", "link"):
            packed.add(root / name, name)
    return root


@pytest.fixture
def repository(tree: Path) -> Path:
    """A repository in that tree, with loose and packed objects."""
    need("git")
    folder = tree / "repository"
    (folder / "folder").mkdir(parents=True)
    git(folder, "init", "-q")
    for number, text in enumerate(("pear\n", "pear\nplum\n", "pear\nplum\nfig\n")):
        (folder / "fruit.txt").write_text(text)
        (folder / "folder" / "note").write_text(f"{number}\n")
        git(folder, "add", ".")
        git(folder, "commit", "-q", "-m", f"the {number}")
        if number == 1:
            git(folder, "gc", "-q")
    (folder / "fruit.txt").write_text("pear\nfig\n")
    return folder


@pytest.fixture
def session(truth: Path, tree: Path, tmp_path: Path) -> Iterator[Session]:
    """A scripted session for `truth`; what traces programs stays out of it."""
    build.build()
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with scripted_session(truth, scratch, build.PACKAGE / build.LIBRARY, names=(b"strace",)) as made:
        yield made
