"""Calls that may wait, in worker threads: a disk or a server that doesn't answer stalls its own request only.

A request that is closed doesn't wait for its thread: what the thread still brings is undone, and a descriptor that the
thread still uses stays open until then.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

import trio

THREADS = 64
"""For calls about files; a server that doesn't answer may keep all of them, and then only what is cached is served."""
STREAMS = 32
"""For devices that make a reader wait, whatever they are asked."""

T = TypeVar("T")


class Descriptor:
    """A descriptor that threads use, with `with`: closed when nobody uses it any more, or its number might be another's."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._users = 0
        self._closed = False
        self._lock = threading.Lock()

    def __enter__(self) -> int:
        with self._lock:
            if self._closed:
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            self._users += 1
            return self._fd

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            self._release()

    def close(self) -> None:
        """Close it as soon as nobody uses it."""
        with self._lock:
            self._closed = True
            self._release()

    def _release(self) -> None:
        if self._closed and not self._users and self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class _Box(Generic[T]):
    """Where a thread leaves its result, unless nobody waits for it any more."""

    def __init__(self, undo: Callable[[T], object] | None) -> None:
        self._lock = threading.Lock()
        self._abandoned = False
        self._results: list[T] = []
        self._undo = undo

    def put(self, result: T) -> T:
        with self._lock:
            if not self._abandoned:
                self._results.append(result)
                return result
        if self._undo:
            self._undo(result)
        return result

    def abandon(self) -> None:
        with self._lock:
            self._abandoned = True
        for result in self._results:
            if self._undo:
                self._undo(result)


class Workers:
    """A number of threads."""

    def __init__(self, threads: int = THREADS) -> None:
        self._limiter = trio.CapacityLimiter(threads)

    async def run(self, call: Callable[[], T], *, undo: Callable[[T], object] | None = None) -> T:
        """Make a call in a thread. If this is cancelled, the result is handed to `undo`, now or when it comes."""
        box = _Box(undo)
        try:
            return await trio.to_thread.run_sync(lambda: box.put(call()), abandon_on_cancel=True, limiter=self._limiter)
        except trio.Cancelled:
            box.abandon()
            raise
