"""Errors: as they travel (`Failure`), as Python raises them here, and the way between errno's numbers and names.

Numbers differ between systems, so names travel. Where an OSError becomes a failure is server.py's business.
"""

from __future__ import annotations

import errno
import os

from mirrord_protocol.schema import enumerants, load
from mirrord_protocol.values import Failure, FailureKind

ERRNO_NAMES: tuple[str | None, ...] = (None, *(name.upper() for name in enumerants(load().Errno.schema.node)[1:]))
"""The schema's errnos in the order of their numbers on the wire; None is the first."""
ERRNO_CODES = {name: code for code, name in enumerate(ERRNO_NAMES)}
TWINS = {"EOPNOTSUPP": "ENOTSUP", "EWOULDBLOCK": "EAGAIN", "EDEADLOCK": "EDEADLK", "ENOATTR": "ENODATA"}
"""Names that are the same number on some systems, and the one that the schema has."""
NAMES_BY_NUMBER = {getattr(errno, name): name for name in ERRNO_NAMES if name and hasattr(errno, name)} | {
    getattr(errno, twin): name for twin, name in TWINS.items() if hasattr(errno, twin)
}


class ProtocolError(Exception):
    """The protocol was broken; see the two kinds."""


class LocalProtocolError(ProtocolError):
    """This side was asked to send what the protocol doesn't allow: a defect here."""


class RemoteProtocolError(ProtocolError):
    """The other side sent what the protocol doesn't allow; nothing after it can be trusted."""


class RemoteError(Exception):
    """The other side answered with a failure.

    The connection lives on, except after a refused `hello`.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.text or failure.errno or failure.kind.name.lower())
        self.failure = failure

    @property
    def errno(self) -> int:
        """The number on this system; EIO for a failure that isn't an errno."""
        return errno_number(self.failure.errno)


class ConnectionLost(Exception):
    """The other side is gone, and with it whatever was asked of it; `failure` has the reason."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.text or failure.kind.name.lower())
        self.failure = failure


def errno_name(number: int) -> str:
    """Return the schema's name of an errno of this system; `EIO` for one that the schema lacks."""
    return NAMES_BY_NUMBER.get(number, "EIO")


def errno_number(name: str | None) -> int:
    """Return the number on this system of an errno's name; EIO for None or a name that this system lacks."""
    return int(getattr(errno, name or "EIO", errno.EIO))


def failure_of(error: OSError) -> Failure:
    """Return an OSError as it travels. Its text names the error but not the path, which the asker knows."""
    number = error.errno if error.errno is not None else errno.EIO
    name, own_name = errno_name(number), errno.errorcode.get(number, str(number))
    text = os.strerror(number)
    if ERRNO_CODES.get(TWINS.get(own_name, own_name)) is None:
        text = f"{text} ({own_name})"
    return Failure(FailureKind.SYSTEM, name, text)
