"""Opening, reading and looking, below a folder as root: the calls themselves, with and without the kernel's caches."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_kit import start_of
from mirrord_agent.files.driver import Files, Mount, OpenFile
from mirrord_agent.files.machine import CHUNK
from mirrord_agent.files.walk.driver import Paths
from mirrord_agent.files.watches.driver import Watches
from mirrord_agent.kernel.layouts import O_PATH
from mirrord_agent.workers.driver import Descriptor
from mirrord_protocol.values import NO_FLAGS, Form, OpenFlag

CONTENT, HEAD = 1 << 20, 1 << 17


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Files]:
    yield from files_below(tmp_path)


@pytest.fixture
def system() -> Iterator[Files]:
    yield from files_below(Path("/"))


def files_below(root: Path) -> Iterator[Files]:
    fd, watches = os.open(root, O_PATH | os.O_DIRECTORY), Watches()
    pid = os.getpid()
    yield Files(Paths(fd, process_ids=(pid,), start=start_of(pid), outside_root=os.fsencode(root)), watches)
    watches.close()
    os.close(fd)


def code(error: pytest.ExceptionInfo[OSError]) -> str:
    assert error.value.errno is not None
    return errno.errorcode[error.value.errno]


def test_a_whole_file(files: Files, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")

    found = files.open(b"/file", NO_FLAGS, CONTENT, HEAD)

    assert (found.form, found.first, found.following, found.stat.size) == (Form.WHOLE, b"content", 7, 7)
    found.close()


def test_a_large_file(files: Files, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")

    found = files.open(b"/file", NO_FLAGS, 9, 4)

    assert (found.form, found.first, found.following) == (Form.LARGE, b"0123", 4)
    assert found.file
    assert found.file.read(8, 100) == b"89"
    assert found.file.read(10, 100) == b""
    assert found.file.read(1 << 40, 100) == b""
    with pytest.raises(OSError) as caught:
        found.file.read(1 << 63, 1)
    assert code(caught) == "EINVAL"
    found.close()
    with pytest.raises(OSError) as caught:
        found.file.read(0, 1)
    assert code(caught) == "EBADF"


def test_no_more_is_read_at_once_than_a_chunk(files: Files, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(CHUNK + 1))

    found = files.open(b"/file", NO_FLAGS, CONTENT, HEAD)

    assert (len(found.first), found.following) == (CHUNK, CHUNK + 1)
    assert found.file
    assert len(found.file.read(0, 1 << 32)) == CHUNK
    found.close()


def test_an_empty_file(files: Files, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = files.open(b"/file", NO_FLAGS, CONTENT, HEAD)
    assert (found.form, found.first, found.following) == (Form.WHOLE, b"", 0)
    found.close()


def test_a_directory_has_no_content(files: Files, tmp_path: Path) -> None:
    found = files.open(b"/", OpenFlag.DIRECTORY, CONTENT, HEAD)

    assert (found.form, found.stat.inode) == (Form.DIRECTORY, tmp_path.stat().st_ino)
    assert found.file
    with pytest.raises(OSError) as caught:
        found.file.read(0, 1)
    assert code(caught) == "EISDIR"
    found.close()


def test_only_the_path(files: Files, tmp_path: Path) -> None:
    (tmp_path / "fifo").mkdir()
    (tmp_path / "link").symlink_to("nowhere")

    assert files.open(b"/fifo", OpenFlag.PATH_ONLY, CONTENT, HEAD).form == Form.NOTHING
    found = files.open(b"/link", OpenFlag.PATH_ONLY | OpenFlag.NO_FOLLOW, CONTENT, HEAD)
    assert (found.stat.size, found.file) == (7, None)
    found.close()


def test_flags(files: Files, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    for path, flags, name in (
        (b"/file", OpenFlag.DIRECTORY, "ENOTDIR"),
        (b"/file", OpenFlag.DIRECTORY | OpenFlag.PATH_ONLY, "ENOTDIR"),
        (b"/link", OpenFlag.NO_FOLLOW, "ELOOP"),
        (b"/nothing", NO_FLAGS, "ENOENT"),
        (b"", NO_FLAGS, "ENOENT"),
    ):
        with pytest.raises(OSError) as caught:
            files.open(path, flags, CONTENT, HEAD)
        assert code(caught) == name


def test_a_socket_cannot_be_opened(files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        with pytest.raises(OSError) as caught:
            files.open(b"/socket", NO_FLAGS, CONTENT, HEAD)
    assert code(caught) == "ENXIO"


def test_a_fifo_is_opened_without_waiting(files: Files, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")

    found = files.open(b"/fifo", NO_FLAGS, CONTENT, HEAD)

    assert found.form == Form.STREAM
    assert found.file and found.file.ready
    writer = os.open(tmp_path / "fifo", os.O_WRONLY)
    with pytest.raises(BlockingIOError):
        found.file.read_on(10)
    os.write(writer, b"through")
    assert found.file.read_on(100) == b"through"
    os.close(writer)
    assert found.file.read_on(100) == b""
    found.close()


def test_devices(system: Files) -> None:
    found = system.open(b"/dev/zero", NO_FLAGS, CONTENT, HEAD)
    assert found.form == Form.STREAM
    assert found.file and not found.file.ready
    assert found.file.read_on(10) == bytes(10)
    found.close()
    found = system.open(b"/dev/null", NO_FLAGS, CONTENT, HEAD)
    assert found.file and found.file.read_on(10) == b""
    found.close()


def test_made_up_files_are_read_by_request(system: Files) -> None:
    for path in (b"/proc/version", b"/proc/self/status"):
        found = system.open(path, NO_FLAGS, CONTENT, HEAD)
        assert (found.form, found.following) == (Form.REQUEST, 0)
        assert found.file and found.file.read(0, 1000)
        found.close()


def test_access_times_stay(files: Files, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    os.utime(tmp_path / "file", ns=(1, 2_000_000_000))  # so old that the kernel would note a reading

    for flags in (NO_FLAGS, OpenFlag.NO_ACCESS_TIME):
        files.open(b"/file", flags, CONTENT, HEAD).close()

    assert (tmp_path / "file").stat().st_atime_ns == 1


def test_the_caches_give_the_same(files: Files, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    with pytest.raises(BlockingIOError):  # nothing is known of the file system yet
        files.stat(b"/file", follow=True, cached=True)
    for path in (b"/file", b"/link"):
        for follow in (True, False):
            seen = files.stat(path, follow=follow)
            with contextlib.suppress(BlockingIOError):  # which the kernel may always say
                assert files.stat(path, follow=follow, cached=True) == seen


def test_the_caches_are_not_asked_about_what_may_wait(files: Files, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    files.stat(b"/", follow=True)
    for path in (b"/fifo", b"/folder"):
        with pytest.raises(BlockingIOError):
            files.open(path, NO_FLAGS, CONTENT, HEAD, cached=True)


def test_proc_is_never_asked_of_the_caches(system: Files) -> None:
    system.stat(b"/proc/version", follow=True)
    with pytest.raises(BlockingIOError):
        system.stat(b"/proc/self/status", follow=True, cached=True)


def test_file_system(files: Files, tmp_path: Path) -> None:
    seen, truth = files.file_system(b"/"), os.statvfs(tmp_path)

    assert (seen.block_size, seen.blocks, seen.files, seen.name_length) == (
        truth.f_bsize, truth.f_blocks, truth.f_files, truth.f_namemax,
    )  # fmt: skip
    assert seen.id & 0xFFFFFFFF == truth.f_fsid & 0xFFFFFFFF


def test_links(files: Files, tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/link").symlink_to("/a/b")

    assert files.readlink(b"/a/link") == b"/a/b"
    assert files.realpath(b"//a/./link/") == b"/a/b"
    assert files.realpath(b"/a/b/") == b"/a/b"
    assert files.realpath(b"/") == b"/"
    with pytest.raises(FileNotFoundError):
        files.realpath(b"/a/nothing")
    for call in (files.readlink, files.realpath, files.file_system):
        with pytest.raises(OSError) as caught:
            call(b"relative")
        assert code(caught) == "EINVAL"


def test_listing_over_a_link_is_not_watched(files: Files, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    for path, watch, watched in ((b"/folder", True, True), (b"/folder", False, False), (b"/link", True, False)):
        listing = files.list(1, path, watch=watch)
        assert (listing.watch is not None) is watched
        listing.close()
    with pytest.raises(NotADirectoryError):
        (tmp_path / "file").touch()
        files.list(1, b"/file", watch=True)


def test_made_up_directories_are_not_watched(system: Files) -> None:
    listing = system.list(1, b"/proc/1", watch=True)
    assert listing.watch is None
    listing.close()


def test_a_shrunk_file_ends_early(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12")
    file = OpenFile(Descriptor(os.open(tmp_path / "file", os.O_RDONLY)), Form.LARGE, Mount(0))
    assert file.read(0, 10) == b"12"
    file.close()


def test_a_file_system_that_cannot_say_what_is_cached_is_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As overlayfs, under every container: a second question would be lost time."""
    (tmp_path / "file").write_bytes(b"x")
    asked = []

    def refuse(*arguments: object) -> int:
        asked.append(arguments)
        raise OSError(errno.EOPNOTSUPP, "not supported")

    monkeypatch.setattr(os, "preadv", refuse)
    file = OpenFile(Descriptor(os.open(tmp_path / "file", os.O_RDONLY)), Form.LARGE, Mount(0))
    for _ in range(2):
        with pytest.raises(BlockingIOError):
            file.read(0, 1, cached=True)
    assert file.read(0, 1) == b"x"
    file.close()

    assert len(asked) == 1
