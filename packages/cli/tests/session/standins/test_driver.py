"""Stand-ins are objects of the kernel's that behave as docs/layer.md says, and vanish with their last holder."""

from __future__ import annotations

import errno
import fcntl
import itertools
import mmap
import os
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from mirrord_cli.session.standins.driver import StandIns
from session_machine import FOLDER, replace, status

STATUS = replace(status(3), mode=stat.S_IFREG | 0o640, accessed=1_000_000_001, modified=2_000_000_003)


class Made(StandIns):
    """Stand-ins, and what was told of them."""

    def __init__(self, folder: Path) -> None:
        self.gone: list[int] = []
        self.idle: list[int] = []
        super().__init__(os.fsencode(folder), self.gone.append, self.idle.append)

    def large(self, number: int, size: int, head: bytes = b"", reserved: int | None = None) -> tuple[int, int]:
        return trio.run(self.make_large, number, size, head, size if reserved is None else reserved)

    def told(self) -> tuple[list[int], list[int]]:
        self.holders.look()
        return self.gone, self.idle


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Made]:
    made = Made(tmp_path)
    yield made
    made.close()
    assert list(tmp_path.iterdir()) == []


def test_a_whole_file(made: Made) -> None:
    identity = made.make_whole(1, b"abc", STATUS)

    one, other = made.reopen(1), made.reopen(1)

    facts = os.fstat(one)
    assert (facts.st_dev, facts.st_ino) == identity
    assert (facts.st_nlink, facts.st_mode, facts.st_mtime_ns) == (0, STATUS.mode, 2_000_000_003)
    assert (os.read(one, 2), os.read(other, 9), os.read(one, 9)) == (b"ab", b"abc", b"c")
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.write(one, b"x")
    with pytest.raises(PermissionError):  # sealed, also for one who opens it for writing
        os.write(os.open(f"/proc/self/fd/{one}", os.O_WRONLY), b"x")
    assert fcntl.fcntl(one, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
    os.close(one)
    os.close(other)


def test_a_file_that_its_owner_may_not_read_can_be_handed_out(made: Made) -> None:
    made.make_whole(1, b"abc", replace(STATUS, mode=stat.S_IFREG))

    fd = made.reopen(1)

    assert os.read(fd, 9) == b"abc"
    os.close(fd)


def test_a_large_file_is_reserved_and_filled(made: Made) -> None:
    identity = made.large(1, 3 << 20, b"head")
    fd = made.reopen(1)
    facts = os.fstat(fd)

    assert (facts.st_dev, facts.st_ino, facts.st_nlink, facts.st_size) == (*identity, 0, 3 << 20)
    assert facts.st_blocks * 512 >= 3 << 20
    assert not facts.st_mode & 0o222  # a program can't open it again for writing
    assert made.write(1, 1000, [b"some", memoryview(b"thing")]) == 9
    made.complete(1, STATUS)
    assert os.pread(fd, 9, 1000) == b"something"
    assert os.pread(fd, 4, 0) == b"head"
    assert not os.fstat(fd).st_mode & 0o222
    assert os.fstat(fd).st_mtime_ns == 2_000_000_003
    assert made.write(2, 0, [b"x"]) == 0
    os.close(fd)


def test_holes_take_no_room(made: Made) -> None:
    """A sparse file may be larger than the disk."""
    made.large(1, 1 << 42, b"head", 4096)
    fd = made.reopen(1)

    assert os.fstat(fd).st_size == 1 << 42
    assert os.fstat(fd).st_blocks * 512 < 1 << 20
    assert os.pread(fd, 4, 0) == b"head"
    os.close(fd)


def test_a_whole_large_file_may_be_executed(made: Made) -> None:
    with open("/bin/true", "rb") as file:
        content = file.read()
    made.large(1, len(content), content)
    made.complete(1, replace(STATUS, mode=stat.S_IFREG | 0o755))
    fd = made.reopen(1)

    assert subprocess.run([f"/proc/self/fd/{fd}"], pass_fds=[fd]).returncode == 0
    os.close(fd)


def test_no_room(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", small], capture_output=True).returncode:
        pytest.skip("mounting needs root")
    try:
        made = Made(small)
        with pytest.raises(OSError, match="No space left") as caught:
            made.large(1, 2 << 20)
        assert caught.value.errno == errno.ENOSPC
        made.close()
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_directory(made: Made) -> None:
    identity = made.make_directory(1)
    fd = made.reopen(1)

    facts = os.fstat(fd)
    assert (facts.st_dev, facts.st_ino) == identity
    assert stat.S_ISDIR(facts.st_mode)
    assert os.listdir(fd) == []
    with pytest.raises(FileNotFoundError):
        os.open("x", os.O_CREAT, dir_fd=fd)
    os.close(fd)


def test_devices(made: Made) -> None:
    devices = made.devices()

    assert made.make_whole(1, b"", STATUS)[0] == devices[0]
    assert made.large(2, 10)[0] == devices[1]
    assert made.make_directory(3)[0] == devices[2]


def test_a_listing(made: Made) -> None:
    fd = made.listing(b"abc")

    assert os.read(fd, 9) == b"abc"
    os.close(fd)


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        *itertools.product(["whole", "large", "directory"], ["descriptor", "duplicate", "path", "message"]),
        ("whole", "mapping"), ("large", "mapping"), ("directory", "folder"),
    ],
)  # fmt: skip
def test_gone_with_the_last_holder(made: Made, kind: str, how: str) -> None:
    """Whatever holds it, the kernel tells when nobody does any more."""
    if kind == "whole":
        made.make_whole(1, bytes(4096), STATUS)
    elif kind == "large":
        made.large(1, 4096)
        made.complete(1, STATUS)
    else:
        made.make_directory(1)
    fd = made.reopen(1)
    made.release(1)
    assert made.told()[0] == []
    if how == "descriptor":
        os.close(fd)
    elif how == "duplicate":
        second = os.dup(fd)
        os.close(fd)
        assert made.told()[0] == []
        os.close(second)
    elif how == "path":
        second = os.open(f"/proc/self/fd/{fd}", os.O_PATH)
        os.close(fd)
        assert made.told()[0] == []
        os.close(second)
    elif how == "mapping":
        mapping = mmap.mmap(fd, 4096, prot=mmap.PROT_READ)
        os.close(fd)
        assert made.told()[0] == []
        mapping.close()
    elif how == "folder":
        child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, cwd=f"/proc/self/fd/{fd}", pass_fds=[fd])
        os.close(fd)
        child.communicate()
    else:
        one, other = socket.socketpair()
        socket.send_fds(one, [b"x"], [fd])
        os.close(fd)
        assert made.told()[0] == []
        one.close()
        other.close()

    assert made.told()[0] == [1]


def test_a_large_file_that_no_program_has_open(made: Made) -> None:
    made.large(1, 100)
    one, other = made.reopen(1), made.reopen(1)
    os.close(one)
    assert made.told() == ([], [])

    os.close(other)
    assert made.told() == ([], [1])
    os.close(made.reopen(1))
    assert made.told() == ([], [1, 1])
    fd = made.reopen(1)
    mapping = mmap.mmap(fd, 100, prot=mmap.PROT_READ)
    os.close(fd)
    assert made.told() == ([], [1, 1])
    mapping.close()
    assert made.told() == ([], [1, 1, 1])
    made.complete(1, FOLDER)
    os.close(made.reopen(1))
    assert made.told() == ([], [1, 1, 1, 1])
    made.release(1)
    assert made.told()[0] == [1]
