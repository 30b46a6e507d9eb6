"""What a scripted session answers: questions about paths below `/remote-files`, from a real directory on this machine.

So the truth that a program is compared with is that directory itself, and a program's plain run uses it. Everything
else is local. The sockets are in layer_session.py.
"""

from __future__ import annotations

import errno
import os
import posixpath
import stat
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import layer_standins
from layer_standins import CHUNK, StandIn
from layer_table import DIRECTORIES_AT, FILES_AT, READ, WATCHED_AT, SharedTable
from mirrord_protocol.layer_values import LayerForm, LayerNotice, LayerOperation, LayerOutcome, LayerReply, LayerRequest
from mirrord_protocol.messages import encode_chunk, encode_file_system
from mirrord_protocol.values import DirectoryEntry, FileSystem, Stat

BASE = b"/remote-files"
CHANGING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
PATHS = {*LayerOperation} - {LayerOperation.NOTICE, *(each for each in LayerOperation if each > LayerOperation.TABLE)}
"""Operations that are about a path."""
TYPES = {stat.S_IFREG: 8, stat.S_IFDIR: 4, stat.S_IFLNK: 10, stat.S_IFIFO: 1, stat.S_IFCHR: 2, stat.S_IFSOCK: 12}


@dataclass(slots=True)
class Answer:
    """A reply, its payload, and descriptors that are closed once they were sent."""

    reply: LayerReply
    payload: bytes = b""
    fds: list[int] = field(default_factory=list)


def remote_stat(status: os.stat_result) -> Stat:
    """A stat as the agent would report it."""
    return Stat(
        device=status.st_dev,
        inode=status.st_ino,
        size=status.st_size,
        blocks=status.st_blocks,
        rdev=status.st_rdev,
        mode=status.st_mode,
        links=status.st_nlink,
        uid=status.st_uid,
        gid=status.st_gid,
        block_size=status.st_blksize,
        allowed=7,
        accessed=status.st_atime_ns,
        modified=status.st_mtime_ns,
        changed=status.st_ctime_ns,
    )


def entry(folder: Path, name: str) -> DirectoryEntry:
    """One name of a listing."""
    status = os.lstat(folder / name)
    kind = TYPES.get(stat.S_IFMT(status.st_mode), 0)
    return DirectoryEntry(os.fsencode(name), status.st_ino, kind, remote_stat(status))


class Remote:
    """Answers questions. Attributes may be changed by a test before it starts a program."""

    def __init__(self, truth: Path, scratch: Path, table: SharedTable) -> None:
        self.truth = truth
        self.scratch = scratch
        """Where temporary files are made: on the table's temporary device."""
        self.table = table
        self.asked: list[tuple[str, bytes]] = []
        """Every question: operation and payload."""
        self.whole_limit = 1 << 20
        self.head = 0
        """So many bytes of a filling file are there from the start."""
        self.request_names: set[str] = set()
        """Base names of files that are read by request."""
        self.not_found: set[bytes] = set()
        """Cleaned paths, absolute or relative, that a pattern hides."""
        self.mapping: dict[bytes, bytes] = {}
        """Cleaned paths that go elsewhere on this machine."""
        self.listings: dict[Path, list[DirectoryEntry]] = {}
        """What directories hold that need not be real."""
        self.raw_listing: bytes | None = None
        """What comes in place of every listing."""
        self.cache_local = True
        """Whether a local answer is published in the table."""
        self.standins: dict[tuple[int, int], StandIn] = {}
        self._by_path: dict[tuple[Path, LayerForm], StandIn] = {}
        self._noticed: set[bytes] = set()
        self._lock = threading.Lock()
        self.answers: dict[LayerOperation, Callable[[LayerRequest, bytes], Answer]] = {
            LayerOperation.OPEN: self._open,
            LayerOperation.STAT: self._stat,
            LayerOperation.ACCESS: self._access,
            LayerOperation.READLINK: self._readlink,
            LayerOperation.REALPATH: self._realpath,
            LayerOperation.LIST: self._list,
            LayerOperation.ENTER: self._enter,
            LayerOperation.IDENTIFY: self._identify,
            LayerOperation.WAIT: self._wait,
            LayerOperation.READ: self._read,
            LayerOperation.FILE_SYSTEM: self._file_system,
            LayerOperation.NOTICE: self._notice,
            LayerOperation.TABLE: self._table,
        }
        """What answers an operation; others' own are added."""

    def answer(self, request: LayerRequest, payload: bytes) -> Answer:
        """Answer one question as a session would."""
        with self._lock:
            self.asked.append((request.operation.name, payload))
        try:
            local = self._decide(request, payload)
            return local or self.answers[request.operation](request, payload)
        except OSError as error:
            name = errno.errorcode[error.errno or errno.EIO]
            return Answer(LayerReply(LayerOutcome.FAILED, errno="ENOTSUP" if name == "EOPNOTSUPP" else name))

    def questions(self, *operations: str) -> list[bytes]:
        """Return the payloads of the questions with these operations."""
        return [payload for operation, payload in self.asked if operation in operations]

    # ---- where a path belongs

    def _absolute(self, request: LayerRequest, payload: bytes) -> bytes:
        if payload.startswith(b"/"):
            return b"/" + payload.lstrip(b"/")
        if not request.device:
            return payload
        base = self.standins[request.device, request.inode].truth
        inside = os.fsencode(base)[len(os.fsencode(self.truth)) :]
        return BASE + inside + b"/" + payload

    def _decide(self, request: LayerRequest, payload: bytes) -> Answer | None:
        place = request.operation is LayerOperation.PLACE
        if not payload or request.operation not in PATHS:
            return None
        path = self._absolute(request, payload)
        clean = posixpath.normpath(path)
        if clean in self.not_found:
            return Answer(LayerReply(LayerOutcome.FAILED, errno="ENOENT"))
        moved = self.mapping.get(clean, clean if request.device and not payload.startswith(b"/") else b"")
        changing = request.operation is LayerOperation.OPEN and request.flags & CHANGING
        remote = clean == BASE or clean.startswith(BASE + b"/")
        if place or changing or not remote:
            if self.cache_local and not remote and path.startswith(b"/") and clean == path:
                self.table.add_slot(path, READ)
            return Answer(LayerReply(LayerOutcome.LOCAL, payload=len(moved)), moved)
        return None

    def _truth(self, request: LayerRequest, payload: bytes) -> Path:
        if not payload:
            return self.standins[request.device, request.inode].truth
        inside = self._absolute(request, payload)[len(BASE) :]
        return Path(os.fsdecode(os.fsencode(self.truth) + inside))

    # ---- stand-ins

    def _standin(self, truth: Path, status: os.stat_result) -> StandIn:
        if stat.S_ISDIR(status.st_mode):
            form = LayerForm.DIRECTORY
        elif truth.name in self.request_names:
            form = LayerForm.REQUEST
        else:
            form = LayerForm.WHOLE if status.st_size <= self.whole_limit else LayerForm.FILLING
        with self._lock:
            made = self._by_path.get((truth, form))
            if made is None:
                made = self._make(truth, form)
                self._by_path[truth, form] = self.standins[made.identity] = made
            self.table.count(DIRECTORIES_AT if form is LayerForm.DIRECTORY else FILES_AT)
        return made

    def _make(self, truth: Path, form: LayerForm) -> StandIn:
        if form is LayerForm.DIRECTORY:
            return layer_standins.directory(truth, self.scratch)
        if form is LayerForm.WHOLE:
            return layer_standins.whole(truth)
        self.table.count(WATCHED_AT)
        if form is LayerForm.REQUEST:
            return layer_standins.by_request(truth)
        return layer_standins.filling(truth, self.scratch, self.head)

    def _hand_out(self, truth: Path, status: os.stat_result, first: list[int] | None = None) -> Answer:
        made = self._standin(truth, status)
        device, inode = made.identity
        reply = LayerReply(LayerOutcome.DONE, form=made.form, device=device, inode=inode, stat=remote_stat(status))
        return Answer(reply, b"", [*(first or []), made.reopen()])

    def hand_out(self, truth: Path) -> int:
        """A descriptor as a program would get it, for a test that passes it on."""
        return self._standin(truth, truth.stat()).reopen()

    # ---- one method for each operation

    def _open(self, request: LayerRequest, payload: bytes) -> Answer:
        truth = self._truth(request, payload)
        flags = request.flags & (os.O_NOFOLLOW | os.O_DIRECTORY)
        if truth.is_fifo():  # a writer that waits must see no reader come and go
            reply = LayerReply(LayerOutcome.DONE, form=LayerForm.STREAM, stat=remote_stat(truth.stat()))
            return Answer(reply, b"", [layer_standins.stream(truth)])
        if request.flags & os.O_PATH and flags & os.O_NOFOLLOW and truth.is_symlink():
            return self._hand_out(truth, truth.lstat())
        fd = os.open(truth, flags | os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        status = os.fstat(fd)
        os.close(fd)
        return self._hand_out(Path(os.path.realpath(truth)), status)

    def _stat(self, request: LayerRequest, payload: bytes) -> Answer:
        follow = not request.flags & 0x100  # AT_SYMLINK_NOFOLLOW
        slash = "/" if payload.endswith(b"/") else ""
        status = os.stat(f"{self._truth(request, payload)}{slash}", follow_symlinks=follow)
        return Answer(LayerReply(LayerOutcome.DONE, stat=remote_stat(status)))

    def _access(self, request: LayerRequest, payload: bytes) -> Answer:
        truth = self._truth(request, payload)
        os.stat(truth)
        allowed = os.access(truth, request.mode)
        return Answer(LayerReply(LayerOutcome.DONE) if allowed else LayerReply(LayerOutcome.FAILED, errno="EACCES"))

    def _text(self, text: bytes) -> Answer:
        return Answer(LayerReply(LayerOutcome.DONE, payload=len(text)), text)

    def _readlink(self, request: LayerRequest, payload: bytes) -> Answer:
        return self._text(os.fsencode(os.readlink(self._truth(request, payload))))

    def _realpath(self, request: LayerRequest, payload: bytes) -> Answer:
        real = os.fsencode(os.path.realpath(self._truth(request, payload), strict=True))
        return self._text(BASE + real[len(os.fsencode(self.truth)) :])

    def _list(self, request: LayerRequest, payload: bytes) -> Answer:
        truth = Path(os.path.realpath(self._truth(request, payload), strict=True))
        listing = os.memfd_create("listing", os.MFD_CLOEXEC)
        os.write(listing, self.encode_listing(truth) if self.raw_listing is None else self.raw_listing)
        os.lseek(listing, 0, os.SEEK_SET)
        return self._hand_out(truth, truth.stat(), [listing])

    def encode_listing(self, truth: Path) -> bytes:
        """The bytes that tell of a directory's entries."""
        entries = self.listings.get(truth) or [entry(truth, name) for name in (".", "..", *os.listdir(truth))]
        chunks = [encode_chunk(entries[start : start + 100]) for start in range(0, len(entries), 100)]
        return b"".join(chunks)

    def _enter(self, request: LayerRequest, payload: bytes) -> Answer:
        truth = Path(os.path.realpath(self._truth(request, payload), strict=True))
        if not truth.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "not a directory")
        return self._hand_out(truth, truth.stat())

    def _identify(self, request: LayerRequest, payload: bytes) -> Answer:
        made = self.standins.get((request.device, request.inode))
        if made is None:
            return Answer(LayerReply(LayerOutcome.DONE))
        status = os.stat(made.truth)
        return Answer(
            LayerReply(
                LayerOutcome.DONE, form=made.form, device=request.device, inode=request.inode, stat=remote_stat(status)
            )
        )

    def _wait(self, request: LayerRequest, payload: bytes) -> Answer:
        made = self.standins[request.device, request.inode]
        first = request.offset // CHUNK * CHUNK
        last = min(-(-(request.offset + request.length) // CHUNK) * CHUNK, made.size)
        with self._lock:
            if made.missing:
                made.fill(first, last)
                if not made.missing:
                    self.table.count(WATCHED_AT, -1)
            start, end = made.around(first, last)
        return Answer(LayerReply(LayerOutcome.DONE, offset=start, length=end - start))

    def _read(self, request: LayerRequest, payload: bytes) -> Answer:
        made = self.standins[request.device, request.inode]
        with open(made.truth, "rb") as file:
            data = os.pread(file.fileno(), min(request.length, CHUNK), request.offset)
        return Answer(LayerReply(LayerOutcome.DONE, payload=len(data), length=len(data)), data)

    def _file_system(self, request: LayerRequest, payload: bytes) -> Answer:
        self._truth(request, payload).stat()
        system = FileSystem(
            type=0xEF53, block_size=4096, blocks=1000, blocks_free=500, blocks_available=400, files=300,
            files_free=200, id=0x1234, name_length=255, fragment_size=4096, flags=0x1020,
        )  # fmt: skip
        data = encode_file_system(system)
        return Answer(LayerReply(LayerOutcome.DONE, payload=len(data)), data)

    def _notice(self, request: LayerRequest, payload: bytes) -> Answer:
        first = payload not in self._noticed
        self._noticed.add(payload)
        return self._text(b"notice: %s %s\n" % (LayerNotice(request.flags).name.encode(), payload) if first else b"")

    def _table(self, request: LayerRequest, payload: bytes) -> Answer:
        return Answer(LayerReply(LayerOutcome.DONE), b"", [os.dup(self.table.fd)])

    def close(self) -> None:
        """Let the stand-ins go."""
        for made in self._by_path.values():
            os.close(made.fd)
