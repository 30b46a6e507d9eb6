"""What a layer's question means, as far as its own numbers and text say it. Numbers are Linux's. No I/O."""

from __future__ import annotations

import os
from typing import Final

from mirrord_cli.session.paths import follows_text
from mirrord_protocol.layer_values import LayerOperation, LayerRequest
from mirrord_protocol.values import OpenFlag

AT_SYMLINK_NOFOLLOW: Final = 0x100
CREATING: Final = os.O_CREAT | os.O_TRUNC
_TOLD: Final = (
    (os.O_NOFOLLOW, OpenFlag.NO_FOLLOW),
    (os.O_DIRECTORY, OpenFlag.DIRECTORY),
    (os.O_NONBLOCK, OpenFlag.NON_BLOCKING),
    (os.O_PATH, OpenFlag.PATH_ONLY),
    (os.O_NOATIME, OpenFlag.NO_ACCESS_TIME),
)


def is_changing(request: LayerRequest) -> bool:
    """Whether a call may change what its path names."""
    match request.operation:
        case LayerOperation.OPEN:
            if request.flags & os.O_PATH:
                return False
            return request.flags & os.O_ACCMODE != os.O_RDONLY or bool(request.flags & CREATING)
        case LayerOperation.ACCESS:
            return bool(request.mode & os.W_OK)
        case LayerOperation.PLACE:
            return True
        case _:
            return False


def open_flags(flags: int) -> OpenFlag:
    """Return what the agent is told of an open's flags."""
    told = OpenFlag(0)
    for flag, name in _TOLD:
        if flags & flag:
            told |= name
    return told


def plain_path(asked: bytes, cleaned: bytes) -> bytes:
    """Return a path as the target is asked about it: the same for all ways to write the same path.

    One with a `..` stays as it is: behind a link it isn't what the text says.
    """
    if not follows_text(asked):
        return asked
    return cleaned + b"/" if asked.endswith((b"/", b"/.")) and cleaned != b"/" else cleaned
