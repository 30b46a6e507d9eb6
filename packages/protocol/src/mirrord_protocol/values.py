"""What is said between processes, as plain immutable values; the schema's structs in Python's own types.

How they become bytes is in messages.py. Paths and names are bytes, times are integers in nanoseconds since the epoch.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from mirrord_protocol.network_values import Incoming, NetworkAnswer, NetworkRequest

MAJOR = 1
"""Must be the same on both sides."""
MINOR = 0
"""Tells people how new a side is; what may be used is told by `Capability`."""


class FailureKind(enum.IntEnum):
    SYSTEM = 0
    UNSUPPORTED = 1
    FORBIDDEN = 2
    LIMIT = 3
    PROTOCOL = 4
    GONE = 5
    CANCELLED = 6
    INTERNAL = 7


@dataclass(frozen=True, slots=True)
class Failure:
    kind: FailureKind
    errno: str | None = None
    """A name as `ENOENT`; set if and only if the kind is `SYSTEM`."""
    text: str = ""
    """One sentence for a person."""


# ---------------------------------------------------------------------------------------------- values


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat:
    device: int
    inode: int
    size: int
    blocks: int
    rdev: int
    mode: int
    links: int
    uid: int
    gid: int
    block_size: int
    allowed: int
    """What the target's user may do: R_OK | W_OK | X_OK."""
    accessed: int
    modified: int
    changed: int
    born: int | None = None
    """None where the file system doesn't know it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSystem:
    type: int
    block_size: int
    blocks: int
    blocks_free: int
    blocks_available: int
    files: int
    files_free: int
    id: int
    name_length: int
    fragment_size: int
    flags: int


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    name: bytes
    inode: int
    type: int
    """As d_type of readdir(3)."""
    stat: Stat | None = None
    """None if it vanished meanwhile or may not be read."""


# ---------------------------------------------------------------------------------------------- session <-> agent


class Capability(enum.IntFlag):
    FILES = 1 << 0
    ENVIRONMENT = 1 << 1
    WATCHES = 1 << 2
    NAMES = 1 << 3
    OUTGOING = 1 << 4
    INCOMING = 1 << 5


ALL_CAPABILITIES = (
    Capability.FILES
    | Capability.ENVIRONMENT
    | Capability.WATCHES
    | Capability.NAMES
    | Capability.OUTGOING
    | Capability.INCOMING
)


class OpenFlag(enum.IntFlag):
    NO_FOLLOW = 1 << 0
    DIRECTORY = 1 << 1
    NON_BLOCKING = 1 << 2
    PATH_ONLY = 1 << 3
    NO_ACCESS_TIME = 1 << 4


class Form(enum.IntEnum):
    """What an opened path is, and so what follows it."""

    WHOLE = 0
    LARGE = 1
    REQUEST = 2
    STREAM = 3
    DIRECTORY = 4
    NOTHING = 5


@dataclass(frozen=True, slots=True)
class Hello:
    token: bytes
    environment: bool = True
    include: tuple[bytes, ...] = ()
    exclude: tuple[bytes, ...] = ()
    major: int = MAJOR
    minor: int = MINOR
    capabilities: int = ALL_CAPABILITIES

    def __repr__(self) -> str:  # the token is a secret, and values end up in logs
        return f"Hello(token=..., environment={self.environment}, major={self.major}, minor={self.minor})"


@dataclass(frozen=True, slots=True)
class Target:
    pid: int
    uid: int
    gid: int
    name: bytes
    hostname: bytes
    working_directory: bytes


@dataclass(frozen=True, slots=True)
class Lacking:
    """What an agent can't do for this target that others can."""

    capability: Capability
    reason: Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    target: Target
    environment: tuple[tuple[bytes, bytes], ...] = ()
    requests: int = 256
    """So many requests may be unanswered at once."""
    lease: int = 30_000
    """Milliseconds of silence after which the other side is held to be gone."""
    major: int = MAJOR
    minor: int = MINOR
    capabilities: int = ALL_CAPABILITIES
    lacking: tuple[Lacking, ...] = ()

    def __repr__(self) -> str:  # an environment has secrets too
        return f"Welcome(target={self.target}, environment={len(self.environment)} variables, lease={self.lease})"


@dataclass(frozen=True, slots=True)
class Refused:
    failure: Failure


NO_FLAGS = OpenFlag(0)


@dataclass(frozen=True, slots=True)
class Open:
    path: bytes
    flags: OpenFlag = NO_FLAGS
    content: int = 1 << 20
    head: int = 1 << 17


@dataclass(frozen=True, slots=True)
class Opened:
    stat: Stat
    form: Form
    complete: bool


@dataclass(frozen=True, slots=True)
class Read:
    handle: int
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class StatPath:
    path: bytes
    follow: bool = True


@dataclass(frozen=True, slots=True)
class ListDirectory:
    path: bytes
    watch: bool = False
    credit: int = 1 << 20


@dataclass(frozen=True, slots=True)
class Listed:
    stat: Stat
    watched: bool


@dataclass(frozen=True, slots=True)
class ReadLink:
    path: bytes


@dataclass(frozen=True, slots=True)
class RealPath:
    path: bytes


@dataclass(frozen=True, slots=True)
class FileSystemOf:
    path: bytes


@dataclass(frozen=True, slots=True)
class Close:
    pass


@dataclass(frozen=True, slots=True)
class Credit:
    amount: int


@dataclass(frozen=True, slots=True)
class Changed:
    pass


@dataclass(frozen=True, slots=True)
class Ping:
    number: int


@dataclass(frozen=True, slots=True)
class Pong:
    number: int


@dataclass(frozen=True, slots=True)
class Ack:
    pass


@dataclass(frozen=True, slots=True)
class Goodbye:
    failure: Failure


Request = Open | Read | StatPath | ListDirectory | ReadLink | RealPath | FileSystemOf | NetworkRequest
"""What wants an answer."""
Answer = Opened | Stat | Listed | bytes | FileSystem | NetworkAnswer
"""A good answer with a message of its own; `bytes` is the path that ReadLink and RealPath ask for."""
Message = (
    Hello | Welcome | Refused | Request | Answer | Failure
    | Close | Credit | Changed | Incoming | Ping | Pong | Ack | Goodbye
)  # fmt: skip
"""The body of a frame of kind `message`."""
