"""Reads what processes were started with, for the ports of their debuggers; what those are is decided in ../debuggers.py.

Programs have children that the command line never saw, and debuggers start some of them. One in a PID namespace of its
own tells a number that is somebody else's here: then that one is looked at, for nothing.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from typing import Final

from mirrord_cli.session.network.debuggers import find_ports

MOST: Final = 1024
"""Processes that are remembered."""
LARGEST: Final = 1 << 20
"""Bytes of a file of arguments that are looked at."""


class Processes:
    """Processes that asked. Nothing is kept open: one that has gone meanwhile has no debugger any more."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[int, bytes], None] = OrderedDict()

    def new_ports(self, pid: int) -> frozenset[int]:
        """Return the ports of a process's debuggers, if it wasn't looked at before as the program that it is now."""
        arguments = _read(f"/proc/{pid}/cmdline")
        if not arguments or (pid, arguments) in self._seen:
            return frozenset()
        self._seen[pid, arguments] = None
        if len(self._seen) > MOST:
            self._seen.popitem(last=False)
        environment = dict(
            text.partition("=")[::2] for text in _texts(_read(f"/proc/{pid}/environ")) if not text.startswith("=")
        )
        return find_ports(_texts(arguments), environment, lambda name: read_arguments(f"/proc/{pid}/cwd", name))


def read_arguments(folder: str, name: str) -> str:
    """Return the text of a file of arguments; empty if it can't be read."""
    return os.fsdecode(_read(os.path.join(folder, name)))


def _read(path: str) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # it may be a pipe
    except OSError:
        return b""
    try:
        parts = []
        while part := os.read(fd, LARGEST):
            parts.append(part)
            if sum(map(len, parts)) >= LARGEST:
                break
        return b"".join(parts)[:LARGEST]
    except OSError:
        return b""
    finally:
        os.close(fd)


def _texts(data: bytes) -> list[str]:
    return os.fsdecode(data).removesuffix("\0").split("\0") if data else []
