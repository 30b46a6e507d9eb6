"""Paths below a root: the pure walk, and the calls, with links that climb, loop, and lead into /proc."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_kit import start_of
from mirrord_agent.files.walk.driver import Paths
from mirrord_agent.files.walk.machine import Walk, check_path, plain, proc_link
from mirrord_agent.kernel.layouts import O_PATH


def code(error: pytest.ExceptionInfo[OSError]) -> str:
    assert error.value.errno is not None
    return errno.errorcode[error.value.errno]


# ---------------------------------------------------------------------------------------------- machine


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (b"", "ENOENT"),
        (b"relative", "EINVAL"),
        (b"/nul\0", "EINVAL"),
        (b"/" + b"x" * 4095, "ENAMETOOLONG"),
    ],
)
def test_what_is_no_path(path: bytes, name: str) -> None:
    with pytest.raises(OSError) as caught:
        check_path(path)
    assert code(caught) == name
    check_path(b"/" + b"x" * 4094)


def names(walk: Walk) -> list[bytes]:
    return list(iter(walk.take, None))


def test_names_are_taken_in_order() -> None:
    assert names(Walk(b"/a//b/../c", follow=True)) == [b"a", b"b", b"..", b"c"]
    assert names(Walk(b"/", follow=True)) == []
    assert names(Walk(b"/a/", follow=False)) == [b"a", b"."]


def test_the_last_link_is_followed_if_asked_for() -> None:
    for path, follow, expected in ((b"/a", True, True), (b"/a", False, False), (b"/a/", False, True)):
        walk = Walk(path, follow=follow)
        walk.take()
        assert walk.follows is expected


def test_a_link_is_replaced_by_its_text() -> None:
    walk = Walk(b"/a/b", follow=True)
    walk.take()

    assert walk.follow(b"/x/y/") is True
    assert names(walk) == [b"x", b"y", b".", b"b"]
    assert walk.follow(b"../z") is False
    assert names(walk) == [b"..", b"z"]


def test_too_many_links() -> None:
    walk = Walk(b"/a", follow=True)
    for _ in range(40):
        walk.follow(b"a")
    with pytest.raises(OSError) as caught:
        walk.follow(b"a")
    assert code(caught) == "ELOOP"
    with pytest.raises(OSError) as caught:
        Walk(b"/a", follow=True).follow(b"")
    assert code(caught) == "ENOENT"


@pytest.mark.parametrize(
    ("name", "text", "top", "means"),
    [
        (b"self", b"999", True, b"7"),
        (b"thread-self", b"999/task/999", True, b"7/task/7"),
        (b"mounts", b"self/mounts", True, b"self/mounts"),
        (b"device-tree", b"/jail/sys", True, b"/jail/sys"),
        (b"exe", b"/jail/bin/shop", False, b"/bin/shop"),
        (b"cwd", b"/elsewhere", False, b"/elsewhere"),
        (b"3", b"pipe:[1]", False, b"pipe:[1]"),
        (b"self", b"/jail/x", False, b"/x"),
    ],
)
def test_links_in_proc(name: bytes, text: bytes, means: bytes, *, top: bool) -> None:
    assert proc_link(name, text, in_proc_root=top, process_id=7, outside_root=b"/jail") == means


def test_plain_paths() -> None:
    assert plain(b"//a/./b/") == b"/a/b"
    assert plain(b"/") == b"/"
    assert plain(b"/a/..") is None
    assert plain(b"/a..b/...") == b"/a..b/..."


# ---------------------------------------------------------------------------------------------- driver


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with a secret outside of it, in whose way every link leads."""
    (tmp_path / "secret").write_text("outside")
    root = tmp_path / "root"
    (root / "a/b").mkdir(parents=True)
    (root / "a/b/file").write_text("inside")
    (root / "secret").write_text("the root's own")
    (root / "a/absolute").symlink_to("/secret")
    (root / "a/up").symlink_to("../../../../secret")
    (root / "a/real").symlink_to(tmp_path / "secret")
    (root / "a/loop").symlink_to("loop")
    (root / "a/dangling").symlink_to("nowhere")
    (root / "a/folder").symlink_to("/a/b")
    (root / "chain").symlink_to("/a/folder/file")
    return root


@pytest.fixture
def paths(root: Path) -> Iterator[Paths]:
    fd = os.open(root, O_PATH | os.O_DIRECTORY)
    yield Paths(fd, process_ids=(os.getpid(),), start=start_of(os.getpid()), outside_root=os.fsencode(root))
    os.close(fd)


@pytest.fixture
def system() -> Iterator[Paths]:
    """The machine's own root."""
    fd = os.open("/", O_PATH | os.O_DIRECTORY)
    yield Paths(fd, process_ids=(1 << 30, os.getpid()), start=start_of(os.getpid()), outside_root=b"/")
    os.close(fd)


def read(paths: Paths, path: bytes, flags: int = os.O_RDONLY) -> str:
    fd = paths.open(path, flags)
    try:
        return os.read(fd, 100).decode()
    finally:
        os.close(fd)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (b"/a/b/file", "inside"),
        (b"/a/folder/file", "inside"),
        (b"/chain", "inside"),
        (b"/secret", "the root's own"),
        (b"/a/absolute", "the root's own"),
        (b"/a/up", "the root's own"),
        (b"/../../secret", "the root's own"),
        (b"/a/b/../../../secret", "the root's own"),
        (b"/a/folder/../../secret", "the root's own"),
    ],
)
def test_nothing_leads_out_of_the_root(paths: Paths, path: bytes, text: str) -> None:
    assert read(paths, path) == text
    assert paths.realpath(path) == {"inside": b"/a/b/file"}.get(text, b"/secret")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (b"/a/real", "ENOENT"),
        (b"/a/loop", "ELOOP"),
        (b"/a/dangling", "ENOENT"),
        (b"/nothing", "ENOENT"),
        (b"/nothing/..", "ENOENT"),
        (b"/secret/", "ENOTDIR"),
        (b"/secret/..", "ENOTDIR"),
        (b"/chain/", "ENOTDIR"),
        (b"/chain/.", "ENOTDIR"),
        (b"/" + b"x" * 256, "ENAMETOOLONG"),
    ],
)
def test_errors(paths: Paths, path: bytes, name: str) -> None:
    for call in (lambda: paths.open(path, O_PATH), lambda: paths.realpath(path)):
        with pytest.raises(OSError) as caught:
            call()
        assert code(caught) == name


def test_a_link_itself(paths: Paths) -> None:
    fd = paths.open(b"/a/loop", O_PATH | os.O_NOFOLLOW)
    assert stat.S_ISLNK(os.fstat(fd).st_mode)
    os.close(fd)
    with pytest.raises(OSError) as caught:
        paths.open(b"/a/up", os.O_RDONLY | os.O_NOFOLLOW)
    assert code(caught) == "ELOOP"
    assert paths.readlink(b"/a/up") == b"../../../../secret"
    assert paths.readlink(b"/chain") == b"/a/folder/file"
    for path in (b"/secret", b"/a", b"/", b"/a/folder/"):
        with pytest.raises(OSError) as caught:
            paths.readlink(path)
        assert code(caught) == "EINVAL"


def test_a_straight_path(paths: Paths) -> None:
    assert paths.open_straight(b"/a/folder/file", O_PATH) is None
    fd = paths.open_straight(b"/a/b/file", O_PATH)
    assert fd is not None
    os.close(fd)
    with pytest.raises(FileNotFoundError):
        paths.open_straight(b"/a/nothing", O_PATH)


def test_the_kernels_caches(paths: Paths, root: Path) -> None:
    """The kernel may always say that it would have to wait; what it says else must be true."""
    if not paths.can_cache:
        pytest.skip("needs Linux 5.12")
    for path in (b"/a/b/file", b"/chain"):
        with contextlib.suppress(BlockingIOError):
            fd = paths.open_cached(path, O_PATH)
            assert os.fstat(fd).st_ino == (root / "a/b/file").stat().st_ino
            os.close(fd)
    with pytest.raises(BlockingIOError):  # a link is in the way: the walk has to say
        paths.open_cached(b"/a/dangling", O_PATH)


def test_self_is_the_target(system: Paths) -> None:
    pid = b"%d" % os.getpid()
    assert system.readlink(b"/proc/self") == pid
    assert system.readlink(b"/proc/thread-self") == pid + b"/task/" + pid
    assert read(system, b"/proc/self/stat").split()[0].encode() == pid
    assert system.realpath(b"/proc/self/fd/") == b"/proc/" + pid + b"/fd"
    assert system.realpath(b"/proc/mounts") == b"/proc/" + pid + b"/mounts"


def test_links_of_a_process_are_read(system: Paths, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("by its descriptor")
    with (tmp_path / "file").open() as file:
        path = b"/proc/self/fd/%d" % file.fileno()
        assert system.readlink(path) == os.fsencode(tmp_path / "file")
        assert read(system, path) == "by its descriptor"
        assert read(system, b"/dev/fd/%d" % file.fileno()) == "by its descriptor"
        with pytest.raises(OSError) as caught:
            system.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        assert code(caught) == "ELOOP"
    assert system.realpath(b"/proc/self/cwd/.") == os.fsencode(Path.cwd().resolve())
    end, other = os.pipe()
    with pytest.raises(OSError) as caught:
        system.open(b"/proc/self/fd/%d" % end, os.O_RDONLY)
    assert code(caught) == "ENOENT"
    assert system.readlink(b"/proc/self/fd/%d" % end).startswith(b"pipe:[")
    os.close(end)
    os.close(other)


def test_another_process_in_proc_is_itself(system: Paths) -> None:
    assert read(system, b"/proc/1/stat").split()[0] == "1"


def test_no_descriptor_is_left(paths: Paths, system: Paths) -> None:
    before = os.listdir("/proc/self/fd")
    for path in (b"/chain", b"/a/loop", b"/nothing", b"/a/folder/..", b"/a/b/../up"):
        for call in (paths.realpath, paths.readlink):
            try:
                call(path)
            except OSError:
                continue
    system.readlink(b"/proc/self")
    assert os.listdir("/proc/self/fd") == before
