"""What can't wait until all is loaded: the port that its session may try already, last words, order to end.

Nothing large is imported here, and nothing of the protocol. What comes after it is life/driver.py's.
"""

from __future__ import annotations

import errno
import os
import signal
import socket

LOOPBACK = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
BACKLOG = 1024
"""Connections that may wait until we have loaded what serves them; where others fill it, a session comes a second later."""
WORDS_SIZE = 1024
"""Bytes of last words; the kubelet takes 4096, and all containers of a pod together have 12 KiB."""
FIRST_TO_GO = b"1000"
"""oom_score_adj(5): where memory is short, the agent goes before anything of the target's."""


def listen(port: int) -> socket.socket:
    """Listen on the loopback of the network that we are in: 127.0.0.1, or ::1 where that isn't to be had.

    Raises:
        OSError: The port is taken, or there is no loopback.
    """
    failed: OSError | None = None
    for family, host in LOOPBACK:
        try:
            return _listen(family, host, port)
        except OSError as error:
            if error.errno not in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
                raise
            failed = failed or error
    assert failed
    raise failed


def _listen(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def end_when_told() -> None:
    """End at SIGTERM and SIGINT, at once: nothing is held yet.

    A container's first process would ignore them: pid_namespaces(7).
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))


def go_first() -> None:
    """Be the first whom the kernel ends for want of memory, if we may choose."""
    try:
        fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        os.write(fd, FIRST_TO_GO)
    except OSError:
        return
    finally:
        os.close(fd)


class LastWords:
    """Where a container says why it ended: its termination message. The file is opened while we may."""

    def __init__(self, path: str | None) -> None:
        self.failure: str | None = None
        """Why they can't be written; None if they can, or are for nobody."""
        self._fd: int | None = None
        if path is not None:
            try:
                self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as error:
                self.failure = f"{path}: {error.strerror}"

    def say(self, text: str) -> None:
        """Write one or two sentences in place of those before."""
        if self._fd is None:
            return
        words = text.encode(errors="replace")[:WORDS_SIZE].decode(errors="ignore").encode()
        try:
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, words, 0)
        except OSError as error:
            self.failure = error.strerror
