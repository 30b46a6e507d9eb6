"""The bindings against what Python's os module says of the same things."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import stat
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from mirrord_agent.kernel import driver as kernel
from mirrord_agent.kernel.layouts import (
    CAPABILITY_DATA,
    IN_CREATE,
    IN_IGNORED,
    NUMBERS,
    O_PATH,
    OPEN_HOW,
    RESOLVE_IN_ROOT,
    STATFS,
    STATX,
    STATX_BTIME,
)

IN_ANOTHER = """
import os, sys
from mirrord_agent.kernel import driver as kernel
network = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
before = kernel.owner_in_reach(network)
kernel.setns(os.open(f"/proc/{sys.argv[1]}/ns/user", os.O_RDONLY), 0x10000000)
print(before, kernel.owner_in_reach(network))
"""


def test_layouts_have_the_kernels_sizes() -> None:
    assert (STATX.size, STATFS.size, OPEN_HOW.size, CAPABILITY_DATA.size) == (256, 120, 24, 24)


def test_this_machine_is_known() -> None:
    assert kernel.machine_supported()
    assert {"x86_64", "aarch64"} == set(NUMBERS)


def test_openat2(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    folder = os.open(tmp_path, O_PATH | os.O_DIRECTORY)
    fd = kernel.openat2(folder, b"/file", os.O_RDONLY, RESOLVE_IN_ROOT)
    assert os.read(fd, 10) == b"x"
    assert not os.get_inheritable(fd)
    os.close(fd)
    with pytest.raises(FileNotFoundError):
        kernel.openat2(folder, b"/nothing", os.O_RDONLY, RESOLVE_IN_ROOT)
    os.close(folder)


def test_statx(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("abc")
    os.utime(path, ns=(-1, 1_999_999_999))
    (tmp_path / "link").symlink_to("file")
    folder = os.open(tmp_path, O_PATH | os.O_DIRECTORY)

    fields, truth = kernel.statx(folder, b"file"), path.stat()

    assert fields[2:9] == (
        truth.st_nlink, truth.st_uid, truth.st_gid, truth.st_mode, truth.st_ino, 3, truth.st_blocks,
    )  # fmt: skip
    assert fields[9:11] == (-1, 999_999_999)
    assert fields[15:17] == (1, 999_999_999)
    assert os.makedev(*fields[19:21]) == truth.st_dev
    assert fields[0] & STATX_BTIME == 0 or abs(fields[11] - truth.st_ctime) < 100
    assert stat.S_ISLNK(kernel.statx(folder, b"link")[5])
    assert kernel.statx(folder, wait=False)[6] == tmp_path.stat().st_ino
    with pytest.raises(FileNotFoundError):
        kernel.statx(folder, b"nothing")
    os.close(folder)


def test_accessible(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    (tmp_path / "program").touch(mode=0o755)
    folder = os.open(tmp_path, O_PATH | os.O_DIRECTORY)
    assert kernel.accessible(folder, b"", os.R_OK | os.W_OK | os.X_OK)
    assert kernel.accessible(folder, b"program", os.X_OK)
    assert not kernel.accessible(folder, b"plain", os.X_OK)
    assert not kernel.accessible(folder, b"nothing", os.R_OK)
    os.close(folder)


def test_accessible_on_an_older_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "has_faccessat2", lambda: False)
    test_accessible(tmp_path)


def test_a_kernel_that_answers_whatever_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a success errno is what an earlier call left there."""
    ctypes.set_errno(errno.ENOSYS)
    monkeypatch.setattr(kernel, "_syscall", lambda *_: 0)

    assert kernel.has_faccessat2.__wrapped__()


def test_whose_network_it_is() -> None:
    """Ours belongs to our user namespace or to one above; a child's own to its."""
    script = "import ctypes; ctypes.CDLL(None).unshare(0x50000000); print('ready', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout and child.stdout.readline() == b"ready\n"
        fd = os.open(f"/proc/{child.pid}/ns/net", os.O_RDONLY)
        assert kernel.owner_in_reach(fd)
        os.close(fd)
        if os.geteuid() == 0:  # within that user namespace, the machine's network belongs to nobody in reach
            done = subprocess.run(
                [sys.executable, "-c", IN_ANOTHER, str(child.pid)], capture_output=True, text=True, check=True
            )
            assert done.stdout == "True False\n"
        child.communicate(b"\n")


def test_getdents(tmp_path: Path) -> None:
    (tmp_path / "\udcff").touch()
    (tmp_path / "folder").mkdir()
    folder = os.open(tmp_path, os.O_RDONLY)

    found = {name: (inode, kind) for name, inode, kind in kernel.getdents(folder)}

    assert set(found) == {b".", b"..", b"\xff", b"folder"}
    assert found[b"folder"] == ((tmp_path / "folder").stat().st_ino, 4)
    assert kernel.getdents(folder) == []
    os.close(folder)
    with pytest.raises(OSError, match="Bad file descriptor"):
        kernel.getdents(folder)


def test_fstatfs(tmp_path: Path) -> None:
    fd = os.open(tmp_path, O_PATH)
    fields, truth = kernel.fstatfs(fd), os.statvfs(tmp_path)
    assert (fields[1], fields[2], fields[9]) == (truth.f_bsize, truth.f_blocks, truth.f_namemax)
    os.close(fd)
    with pytest.raises(OSError, match="Bad file descriptor"):
        kernel.fstatfs(fd)


def test_inotify(tmp_path: Path) -> None:
    inotify, folder = kernel.inotify_open(), os.open(tmp_path, O_PATH)
    with pytest.raises(BlockingIOError):
        list(kernel.inotify_read(inotify))
    number = kernel.inotify_add(inotify, folder, IN_CREATE)
    assert kernel.inotify_add(inotify, folder, IN_CREATE) == number
    (tmp_path / "a").touch()
    (tmp_path / "b").touch()
    assert list(kernel.inotify_read(inotify)) == [(number, IN_CREATE, True)] * 2
    kernel.inotify_remove(inotify, number)
    kernel.inotify_remove(inotify, number)
    assert list(kernel.inotify_read(inotify)) == [(number, IN_IGNORED, False)]
    os.close(inotify)
    with pytest.raises(OSError, match="Bad file descriptor"):
        kernel.inotify_add(inotify, folder, IN_CREATE)
    os.close(folder)


def test_capabilities_are_those_of_proc() -> None:
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    assert kernel.capget() == (int(status["CapEff"], 16), int(status["CapPrm"], 16))


def test_errors_are_the_systems() -> None:
    with pytest.raises(OSError) as caught:
        kernel.prctl(-1, 0)
    assert caught.value.errno == errno.EINVAL
    with pytest.raises(OSError) as caught:
        kernel.setns(-1, 0)
    assert caught.value.errno == errno.EBADF
    assert struct.calcsize("l") == 8


def test_capabilities_given_up_are_gone() -> None:
    program = (
        "import sys\nfrom mirrord_agent.kernel import driver as kernel\n"
        "kernel.clear_ambient()\nkernel.capset(kernel.capget()[1] & 0b1110)\nleft = kernel.capget()\n"
        "assert left[0] == left[1] and not left[0] & ~0b1110, left\n"
        "try: kernel.capset(1 << 21)\nexcept PermissionError: print('refused')"
    )

    assert subprocess.run([sys.executable, "-c", program], check=True, capture_output=True).stdout == b"refused\n"


def test_getsockopt() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        kind = kernel.getsockopt(made.fileno(), socket.SOL_SOCKET, socket.SO_TYPE, bytes(4))
        assert int.from_bytes(kind, sys.byteorder) == socket.SOCK_DGRAM
        with pytest.raises(OSError) as caught:
            kernel.getsockopt(made.fileno(), socket.SOL_SOCKET, 9999, bytes(4))
        assert caught.value.errno == errno.ENOPROTOOPT
