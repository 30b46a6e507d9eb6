"""Who tells when a stand-in's last holder goes: run as a task, and where the kernel has no watches left."""

from __future__ import annotations

import ctypes
import os

import pytest
import trio
import trio.testing

from mirrord_cli.session.holders import driver
from mirrord_cli.session.holders.driver import Holders, is_ours_alone


def test_as_a_task() -> None:
    async def run() -> None:
        gone = trio.Event()
        holders = Holders(lambda number: gone.set(), lambda number: None)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(holders.run)
            fd = os.memfd_create("x")
            assert holders.watch(7, fd, own=False)
            await trio.testing.wait_all_tasks_blocked()
            assert not gone.is_set()
            os.close(fd)
            with trio.fail_after(5):
                await gone.wait()
            nursery.cancel_scope.cancel()
        holders.close()

    trio.run(run)


def test_without_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then nothing is told, and descriptors are kept."""

    class Without:
        def inotify_init1(self, flags: int) -> int:
            ctypes.set_errno(24)
            return -1

    monkeypatch.setattr(driver, "_libc", Without())
    holders = Holders(lambda number: None, lambda number: None)
    fd = os.memfd_create("x")

    assert not holders.watch(1, fd, own=False)
    holders.look()
    holders.close()
    os.close(fd)


def test_too_many_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    holders = Holders(lambda number: None, lambda number: None)

    class Without:
        def inotify_add_watch(self, *arguments: object) -> int:
            ctypes.set_errno(28)
            return -1

    monkeypatch.setattr(driver, "_libc", Without())
    fd = os.memfd_create("x")

    assert not holders.watch(1, fd, own=False)
    holders.close()
    os.close(fd)


def test_ours_alone(tmp_path: os.PathLike[str]) -> None:
    fd = os.open(tmp_path, os.O_TMPFILE | os.O_RDWR)
    assert is_ours_alone(fd)

    other = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY)

    assert not is_ours_alone(fd)
    os.close(other)
    assert is_ours_alone(fd)
    os.close(fd)
