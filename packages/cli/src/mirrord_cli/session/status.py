"""What a session says to the command line until it is ready, and how that becomes bytes. No I/O.

Used on both sides: life/ writes, launch/session.py reads. What goes the other way is in instructions.py. The table's
descriptor travels beside `Ready`.
"""

from __future__ import annotations

import msgspec

from mirrord_cli.session.framed import frame


class Progress(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """What the session is waiting for, in a few words."""

    text: str


class Failed(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """It won't become ready; the last message."""

    category: str
    """Whose turn it is: `you`, `configuration`, `cluster`, `us`."""
    text: str
    next_step: str


class Unmet(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The agent that was to be met can't be; the next instruction says what is tried instead."""

    category: str
    text: str
    next_step: str
    unreached: bool = False
    """Whether the way to it failed, and not the agent itself: another agent would have the same way."""


class Ready(msgspec.Struct, frozen=True, tag=True, array_like=True, kw_only=True):
    """Programs may start; the last message. The shared table's descriptor comes with it."""

    environment: tuple[tuple[bytes, bytes], ...]
    """The target's variables, as asked for; not yet merged with this machine's."""
    target_name: bytes
    target_pid: int
    socket_name: bytes
    """The abstract socket on which the session takes programs that lost their link, without the leading zero byte."""
    warnings: tuple[str, ...] = ()
    """What the user wanted and doesn't get, in whole sentences."""
    lacking: tuple[str, ...] = ()
    """The parts of the network that the target can't give, as `NetworkRules.without` takes them."""


Message = Progress | Failed | Unmet | Ready


def encode(message: Message) -> bytes:
    """Return a message's bytes. Texts that are none, as names of paths may be, are spelled out."""
    match message:
        case Progress(text):
            message = Progress(_plain(text))
        case Failed(text=text, next_step=step) | Unmet(text=text, next_step=step):
            message = msgspec.structs.replace(message, text=_plain(text), next_step=_plain(step))
        case Ready(warnings=warnings):
            message = msgspec.structs.replace(message, warnings=tuple(map(_plain, warnings)))
    return frame(message)


def _plain(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()
