"""Network namespaces for this package's tests: a block of code runs in one of its own, as root or as an ordinary user.

The block is a function; it runs in a child process, in namespaces that are gone with it, and its failure is the test's.
A neighbour is a second network namespace beside it, for connections from outside.
"""

from __future__ import annotations

import ctypes
import encodings.idna
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

from agent_kit import IS_ROOT, NOBODY

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
PR_SET_PDEATHSIG = 1
LOADED = encodings.idna  # by socket.create_connection: an ordinary user may have no right to read it later
T = TypeVar("T")
_libc = ctypes.CDLL(None, use_errno=True)

WHO = [
    pytest.param(False, id="root", marks=pytest.mark.skipif(not IS_ROOT, reason="needs root")),
    pytest.param(True, id="user"),
]
everybody = pytest.mark.parametrize("ordinary", WHO)
"""Runs a test as root, and as an ordinary user in a user namespace."""


def _call(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments) < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")


def enter_namespaces(*, ordinary: bool) -> None:
    """Enter a network namespace of our own, and a user namespace too if we are to be somebody ordinary."""
    if ordinary:
        if IS_ROOT:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            _call("prctl", 4, 1, 0, 0, 0)  # PR_SET_DUMPABLE: or our own files in /proc stay root's
        uid, gid = os.geteuid(), os.getegid()
        _call("unshare", CLONE_NEWUSER | CLONE_NEWNET)
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
            with open(f"/proc/self/{name}", "wb", 0) as file:
                file.write(text.encode())
    else:
        _call("unshare", CLONE_NEWNET)
    ip("link", "set", "lo", "up")


def ip(*arguments: str) -> None:
    """Run ip(8)."""
    subprocess.run(["ip", *arguments], check=True)


def nft(text: str) -> str:
    """Run nft(8) with a script; return what it says."""
    return subprocess.run(["nft", "-f", "-"], input=text, check=True, capture_output=True, text=True).stdout


def ruleset() -> str:
    """All rules of the namespace that we are in."""
    return nft("list ruleset")


def play(block: Callable[[], T], *, ordinary: bool) -> T:
    """Run a block in namespaces of its own; return what it returns."""
    read, write = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if not child:
        os.close(read)
        result: tuple[str, Any]
        try:
            _call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            try:
                enter_namespaces(ordinary=ordinary)
            except OSError as error:
                result = ("skip", f"this machine allows no such namespaces: {error}")
            else:
                result = ("done", block())
        except BaseException:  # noqa: BLE001 - whatever it was, the test wants to see it
            result = ("failed", traceback.format_exc())
        with open(write, "wb") as file:
            file.write(pickle.dumps(result))
        sys.stdout.flush()
        os._exit(0)
    os.close(write)
    try:
        with open(read, "rb") as file:
            data = file.read()
    finally:
        _, status = os.waitpid(child, 0)
    assert data, f"the child ended with status {status}"
    what, value = pickle.loads(data)
    if what == "skip":
        pytest.skip(value)
    if what == "failed":
        pytest.fail(f"in the child:\n{value}", pytrace=False)
    return value  # type: ignore[no-any-return]


def fork(block: Callable[[], object]) -> int:
    """Run a block in a child process, which ends with it and with us; return its PID."""
    child = os.fork()
    if not child:
        _call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        try:
            block()
        except BaseException:  # noqa: BLE001 - whatever it was, somebody wants to see it
            traceback.print_exc()
        os._exit(0)
    return child


def in_child(block: Callable[[], object]) -> int:
    """Run a block in a child process, which keeps what it returns until killed; return its PID when that is done."""
    read, write = os.pipe()

    def keep() -> None:
        kept = block()
        os.write(write, b"x")
        while kept is not write:  # never
            signal.pause()

    child = fork(keep)
    os.close(write)
    with open(read, "rb", 0) as file:
        assert file.read(1), "the child ended"
    return child


def killed_after(name: str, block: Callable[[], object]) -> None:
    """Run a block in a child process that is killed the moment the system's function of this name has returned."""

    def look(_: object, event: str, function: Any) -> None:
        if event == "c_return" and function.__name__ == name:
            os.kill(os.getpid(), signal.SIGKILL)

    def run() -> None:
        sys.setprofile(look)
        block()

    assert os.waitpid(fork(run), 0)[1] == signal.SIGKILL


def kill(child: int) -> None:
    """Kill a child and wait for its end."""
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


class Neighbour:
    """A network namespace that is connected to ours: 10.0.0.1 and fd00::1 are ours, 10.0.0.2 and fd00::2 its."""

    OURS, ITS = ("10.0.0.1", "fd00::1"), ("10.0.0.2", "fd00::2")

    def __init__(self) -> None:
        made, self._end = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._live, args=(made,), daemon=True)
        self._thread.start()
        made.wait()
        ip("link", "add", "near", "type", "veth", "peer", "name", "far", "netns", str(self._thread.native_id))
        ip("link", "set", "near", "up")
        for address, size in zip(self.OURS, ("24", "64"), strict=True):
            ip("address", "add", f"{address}/{size}", "dev", "near", *(["nodad"] if ":" in address else []))
        self.run(self._configure)

    def _live(self, made: threading.Event) -> None:
        _call("unshare", CLONE_NEWNET)
        self._namespace = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        made.set()
        self._end.wait()

    def _configure(self) -> None:
        for name in ("lo", "far"):
            ip("link", "set", name, "up")
        for address, size in zip(self.ITS, ("24", "64"), strict=True):
            ip("address", "add", f"{address}/{size}", "dev", "far", *(["nodad"] if ":" in address else []))

    def run(self, block: Callable[[], T]) -> T:
        """Run a block in that namespace; sockets made there stay there."""
        results: list[T] = []

        def work() -> None:
            _call("setns", self._namespace, CLONE_NEWNET)
            results.append(block())

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        return results[0]

    def socket(self, family: socket.AddressFamily = socket.AF_INET) -> socket.socket:
        """A TCP socket there."""
        return self.run(lambda: socket.socket(family, socket.SOCK_STREAM))

    def close(self) -> None:
        self._end.set()
        self._thread.join()
        os.close(self._namespace)


@contextmanager
def neighbour() -> Iterator[Neighbour]:
    """A neighbour for the duration of a block."""
    made = Neighbour()
    try:
        yield made
    finally:
        made.close()
