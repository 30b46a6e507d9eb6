"""What the session's machine wants done, as plain values. server.py carries them out, in order.

Stand-ins, channels and what is asked of the agent are known by numbers; each kind counts its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from mirrord_cli.session.network.actions import NetworkAction
from mirrord_protocol.layer_values import LayerReply
from mirrord_protocol.values import Read, Request, Stat


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer a question. If the descriptors can't be had, the answer is that failure."""

    channel: int
    reply: LayerReply
    payload: bytes = b""
    listing: bytes | None = None
    """The first descriptor: memory that holds this."""
    stand_in: int | None = None
    """The next descriptor: a reopening of this."""


@dataclass(frozen=True, slots=True)
class AnswerStream:
    """Answer a question with a pipe, and carry a remote stream into it until either side ends."""

    channel: int
    reply: LayerReply
    ask: int


@dataclass(frozen=True, slots=True)
class AnswerTable:
    """Answer a question with the shared table's descriptor."""

    channel: int
    reply: LayerReply


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the agent; comes back as `Machine.answered` or `Machine.refused`, and for a watch as `Machine.changed`."""

    ask: int
    request: Request
    most: int | None = None
    """Bytes of a listing; a longer one is given up, as if it had failed."""


@dataclass(frozen=True, slots=True)
class AskHere:
    """Resolve a name on this machine; comes back as `Names.found_here`."""

    lookup: int
    name: bytes


@dataclass(frozen=True, slots=True)
class AskRange:
    """Fetch a range into a large file; comes back as `Machine.arrived`, and `Machine.fetched` at its end."""

    fetch: int
    stand_in: int
    read: Read


@dataclass(frozen=True, slots=True)
class StopRange:
    """Want no more of a range."""

    fetch: int


@dataclass(frozen=True, slots=True)
class Close:
    """Close what an `Ask` left open: a handle, a stream, a watch."""

    ask: int


@dataclass(frozen=True, slots=True)
class MakeWhole:
    """Make sealed memory; comes back, as the next two, as `Machine.made` or `Machine.not_made`."""

    stand_in: int
    content: bytes
    stat: Stat


@dataclass(frozen=True, slots=True)
class MakeLarge:
    """Make a temporary file of full size that begins with `head`."""

    stand_in: int
    size: int
    head: bytes
    reserved: int
    """So many bytes of room are reserved: what the file takes on the target, where holes take none."""


@dataclass(frozen=True, slots=True)
class MakeDirectory:
    """Make an empty, removed directory."""

    stand_in: int


@dataclass(frozen=True, slots=True)
class Finish:
    """All of a large file is there."""

    stand_in: int
    stat: Stat


@dataclass(frozen=True, slots=True)
class Release:
    """Keep no descriptor of a stand-in; `Machine.vanished` follows when nobody holds it any more."""

    stand_in: int


Action = (
    Answer | AnswerStream | AnswerTable | Ask | AskHere | AskRange | StopRange | Close
    | MakeWhole | MakeLarge | MakeDirectory | Finish | Release | NetworkAction
)  # fmt: skip
