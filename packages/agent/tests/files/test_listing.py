"""Directories in pieces: order, stats, odd names, what may not be seen."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirrord_agent.files.listing.driver import Listing, stat_of
from mirrord_agent.files.walk.driver import Paths
from mirrord_agent.kernel.layouts import O_PATH
from mirrord_agent.workers.driver import Descriptor
from mirrord_protocol.chunks import decode_chunks
from mirrord_protocol.values import DirectoryEntry


@pytest.fixture
def paths(tmp_path: Path) -> Iterator[Paths]:
    fd = os.open(tmp_path, O_PATH | os.O_DIRECTORY)
    yield Paths(fd, process_ids=(), start=0, outside_root=b"/")
    os.close(fd)


def entries(paths: Paths, path: bytes) -> list[DirectoryEntry]:
    listing = Listing(Descriptor(paths.open(path, os.O_RDONLY | os.O_DIRECTORY)), paths, path)
    listing.begin()
    chunks = [listing.first]
    while not listing.ended:
        chunks.append(listing.next())
    listing.close()
    return list(decode_chunks(b"".join(chunks)))


def test_an_empty_directory(paths: Paths, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    dot, dots = entries(paths, b"/empty")

    assert (dot.name, dot.inode, dot.type) == (b".", (tmp_path / "empty").stat().st_ino, 4)
    assert (dots.name, dots.inode, dots.type) == (b"..", tmp_path.stat().st_ino, 4)
    assert dots.stat and dots.stat.inode == dots.inode


def test_the_roots_parent_is_the_root(paths: Paths, tmp_path: Path) -> None:
    dots = entries(paths, b"/")[1]

    assert dots.inode == tmp_path.stat().st_ino
    assert dots.stat and dots.stat.inode == dots.inode


def test_kinds_and_odd_names(paths: Paths, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    names = [b"x" * 255, b"new\nline", b"\xff\xfe", b" ", b"-rf", b"..."]
    for name in names:
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(name)
    (folder / "link").symlink_to("/nowhere")
    (folder / "folder").mkdir()
    os.mkfifo(folder / "fifo")

    found = {entry.name: entry for entry in entries(paths, b"/odd")[2:]}

    assert set(found) == {*names, b"link", b"folder", b"fifo"}
    for name in names:
        entry = found[name].stat
        assert entry and entry.size == len(name) and found[name].type == 8
    for name, kind in ((b"link", stat.S_IFLNK), (b"folder", stat.S_IFDIR), (b"fifo", stat.S_IFIFO)):
        entry = found[name].stat
        assert entry and stat.S_IFMT(entry.mode) == kind == found[name].type << 12


def test_many_entries_in_the_directorys_own_order(paths: Paths, tmp_path: Path) -> None:
    for number in range(1000):
        (tmp_path / f"{number:0200}").touch()

    found = entries(paths, b"/")

    assert [entry.name for entry in found[2:]] == os.listdir(os.fsencode(tmp_path))
    assert all(entry.stat and entry.stat.inode == entry.inode for entry in found)


def test_a_stat_says_what_may_be_done(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x" * 5000)
    (tmp_path / "program").touch(mode=0o755)
    os.utime(tmp_path / "file", ns=(1_234_567_890_123_456_789, 987_654_321_012_345_678))
    fd = os.open(tmp_path, os.O_RDONLY)

    seen, truth = stat_of(fd, b"file"), (tmp_path / "file").stat()

    assert seen.allowed == os.R_OK | os.W_OK
    assert stat_of(fd, b"program").allowed == os.R_OK | os.W_OK | os.X_OK
    assert stat_of(fd).allowed == os.R_OK | os.W_OK | os.X_OK
    assert (seen.device, seen.inode, seen.size, seen.blocks) == (
        truth.st_dev, truth.st_ino, truth.st_size, truth.st_blocks,
    )  # fmt: skip
    assert (seen.mode, seen.links, seen.uid, seen.gid) == (
        truth.st_mode, truth.st_nlink, truth.st_uid, truth.st_gid,
    )  # fmt: skip
    assert (seen.accessed, seen.modified) == (1_234_567_890_123_456_789, 987_654_321_012_345_678)
    assert seen.changed == truth.st_ctime_ns
    os.close(fd)
