"""Threads: results, errors, what is abandoned; and descriptors that outlive their users."""

from __future__ import annotations

import os
import threading

import pytest
import trio
import trio.lowlevel

from mirrord_agent.workers.driver import Descriptor, Workers


def test_result_and_error() -> None:
    async def main() -> None:
        workers = Workers()
        assert await workers.run(lambda: threading.current_thread() is not threading.main_thread())
        with pytest.raises(FileNotFoundError):
            await workers.run(lambda: os.stat("/nowhere"))

    trio.run(main)


def test_what_an_abandoned_call_brings_is_undone() -> None:
    go, undone = threading.Event(), threading.Event()
    brought: list[str] = []

    def call() -> str:
        go.wait()
        return "late"

    def undo(result: str) -> None:
        brought.append(result)
        undone.set()

    async def main() -> None:
        workers = Workers()
        with trio.move_on_after(0.01) as scope:
            await workers.run(call, undo=undo)
        assert scope.cancelled_caught
        go.set()

    trio.run(main)
    assert undone.wait(10)
    assert brought == ["late"]


def test_a_call_that_never_ends_keeps_others_waiting_only_when_threads_run_out() -> None:
    stuck, started = threading.Event(), threading.Event()

    def hang() -> None:
        started.set()
        stuck.wait()

    async def main() -> None:
        workers = Workers(2)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(workers.run, hang)
            while not started.is_set():
                await trio.lowlevel.checkpoint()
            assert await workers.run(lambda: 7) == 7
            nursery.cancel_scope.cancel()
        with trio.move_on_after(0.01):
            await workers.run(stuck.wait)
        with trio.move_on_after(0.01) as scope:  # both threads are still stuck
            await workers.run(lambda: 8)
        assert scope.cancelled_caught

    trio.run(main)
    stuck.set()


def test_a_descriptor_is_closed_when_its_last_user_leaves() -> None:
    end, other = os.pipe()
    descriptor = Descriptor(end)
    with descriptor as first, descriptor as second:
        assert first == second == end
        descriptor.close()
        os.fstat(end)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(end)
    with pytest.raises(OSError, match="Bad file descriptor"), descriptor:
        pass
    descriptor.close()
    os.close(other)
