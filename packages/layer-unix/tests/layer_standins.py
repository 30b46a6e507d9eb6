"""Stand-ins made the way a session makes them: what a scripted session hands to programs instead of remote objects."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path

from mirrord_protocol.layer_values import LayerForm

CHUNK = 64 * 1024
SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL


@dataclass(slots=True)
class StandIn:
    """One local object behind remote descriptors, kept open so that its identity is not used again."""

    form: LayerForm
    truth: Path
    """The real file or directory that plays the remote one."""
    fd: int
    size: int = 0
    missing: list[tuple[int, int]] = field(default_factory=list)
    """Ranges of a filling file that have not arrived."""

    @property
    def identity(self) -> tuple[int, int]:
        """What the kernel calls it."""
        status = os.fstat(self.fd)
        return status.st_dev, status.st_ino

    def reopen(self) -> int:
        """Return a descriptor for a program: read-only, with an offset of its own."""
        extra = os.O_DIRECTORY if self.form is LayerForm.DIRECTORY else 0
        return os.open(f"/proc/self/fd/{self.fd}", os.O_RDONLY | os.O_CLOEXEC | extra)

    def fill(self, start: int, end: int) -> None:
        """Let a range arrive."""
        with open(self.truth, "rb") as truth:
            for at in range(start, end, CHUNK):
                os.pwrite(self.fd, os.pread(truth.fileno(), min(CHUNK, end - at), at), at)
        left = []
        for first, last in self.missing:
            left += [(a, b) for a, b in ((first, min(last, start)), (max(first, end), last)) if a < b]
        self.missing = left
        if not left:  # as the session: a program that someone may write can't be run
            os.fchmod(self.fd, stat.S_IMODE(self.truth.stat().st_mode))
            complete = self.reopen()
            os.close(self.fd)
            self.fd = complete

    def around(self, start: int, end: int) -> tuple[int, int]:
        """Return the whole range that is there around one that is."""
        before = max((last for _, last in self.missing if last <= start), default=0)
        after = min((first for first, _ in self.missing if first >= end), default=self.size)
        return before, after


def whole(truth: Path) -> StandIn:
    """A sealed memfd with a file's content, mode and modification time."""
    status = truth.stat()
    fd = os.memfd_create("whole", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with open(fd, "wb", closefd=False) as copy:
        copy.write(truth.read_bytes())
    os.fchmod(fd, stat.S_IMODE(status.st_mode))
    os.utime(fd, ns=(status.st_atime_ns, status.st_mtime_ns))
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, SEALS)
    return StandIn(LayerForm.WHOLE, truth, fd, status.st_size)


def filling(truth: Path, folder: Path, head: int = 0) -> StandIn:
    """An unlinked temporary file of full size, of which only the first bytes are there."""
    size = truth.stat().st_size
    fd, name = tempfile.mkstemp(dir=folder)
    os.unlink(name)
    os.ftruncate(fd, size)
    made = StandIn(LayerForm.FILLING, truth, fd, size, [(0, size)] if size else [])
    made.fill(0, min(head, size))
    return made


def by_request(truth: Path) -> StandIn:
    """An empty memfd: every read of it is a question."""
    fd = os.memfd_create("request", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, SEALS)
    return StandIn(LayerForm.REQUEST, truth, fd)


def directory(truth: Path, folder: Path) -> StandIn:
    """An empty directory that is already removed."""
    name = tempfile.mkdtemp(dir=folder)
    fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    os.rmdir(name)
    return StandIn(LayerForm.DIRECTORY, truth, fd)


def stream(truth: Path) -> int:
    """Return the read end of a pipe that brings a FIFO's bytes."""
    reader, writer = os.pipe2(os.O_CLOEXEC)

    def pump() -> None:
        with open(truth, "rb") as source, open(writer, "wb", buffering=0) as sink, contextlib.suppress(BrokenPipeError):
            while data := source.read1(CHUNK):
                sink.write(data)

    threading.Thread(target=pump, daemon=True).start()
    return reader
