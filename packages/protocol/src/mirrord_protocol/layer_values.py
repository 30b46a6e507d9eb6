"""What layer and session say to each other, as plain immutable values; the schema's structs in Python's own types.

How they become bytes is in flat.py. What session and agent say is in values.py.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from mirrord_protocol.values import Stat


class LayerOperation(enum.IntEnum):
    OPEN = 0
    STAT = 1
    ACCESS = 2
    READLINK = 3
    REALPATH = 4
    LIST = 5
    ENTER = 6
    IDENTIFY = 7
    WAIT = 8
    READ = 9
    FILE_SYSTEM = 10
    PLACE = 11
    NOTICE = 12
    TABLE = 13
    RESOLVE = 14
    REVERSE = 15
    QUERY = 16
    CONNECT = 17
    CONNECTING = 18
    OUTCOME = 19
    DESCRIBE = 20
    BIND = 21
    LISTEN = 22
    SEND = 23
    HOSTNAME = 24


class LayerResolve(enum.IntFlag):
    IPV4 = 1 << 0
    IPV6 = 1 << 1
    CANONICAL_NAME = 1 << 2
    CONFIGURED_ONLY = 1 << 3


class LayerSocket(enum.IntFlag):
    NON_BLOCKING = 1 << 0
    DATAGRAM = 1 << 1
    IPV6 = 1 << 2
    IPV6_ONLY = 1 << 3
    UNIX = 1 << 4


class LayerNotice(enum.IntEnum):
    STATIC = 0
    PRIVILEGED = 1
    GO = 2


class LayerOutcome(enum.IntEnum):
    DONE = 0
    LOCAL = 1
    FAILED = 2


class LayerForm(enum.IntEnum):
    FOREIGN = 0
    WHOLE = 1
    FILLING = 2
    REQUEST = 3
    DIRECTORY = 4
    STREAM = 5


@dataclass(frozen=True, slots=True)
class LayerRequest:
    operation: LayerOperation
    payload: int = 0
    """Size in bytes of what follows the message."""
    flags: int = 0
    mode: int = 0
    process: int = 0
    device: int = 0
    inode: int = 0
    offset: int = 0
    length: int = 0


@dataclass(frozen=True, slots=True)
class LayerReply:
    outcome: LayerOutcome
    errno: str | None = None
    """A name as `ENOENT`; set if and only if the outcome is `FAILED`."""
    form: LayerForm = LayerForm.FOREIGN
    payload: int = 0
    """Size in bytes of what follows the message."""
    offset: int = 0
    length: int = 0
    device: int = 0
    inode: int = 0
    stat: Stat | None = None
    """None travels as zeros: no file has the mode 0."""
