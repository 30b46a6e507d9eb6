"""What an id stands for, how far its life has come, and its stream's credit: the same on both ends. No I/O.

session_end.py and agent_end.py keep one record for each id that is alive and move it on. What carries data both ways
is two_way.py's from its answer on.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from mirrord_protocol.network_values import (
    Connect,
    Connected,
    Datagrams,
    Query,
    Records,
    Resolve,
    Resolved,
    Reverse,
    Subscribe,
    Subscribed,
)
from mirrord_protocol.values import (
    Answer,
    FileSystem,
    FileSystemOf,
    Form,
    ListDirectory,
    Listed,
    Open,
    Opened,
    Read,
    ReadLink,
    RealPath,
    Request,
    Stat,
    StatPath,
)

FIRST_REQUESTS = 16
"""Requests that may be unanswered before `welcome` has told how many; an agent always takes so many."""
ANSWERS: dict[type, type] = {
    Open: Opened,
    StatPath: Stat,
    ListDirectory: Listed,
    ReadLink: bytes,
    RealPath: bytes,
    FileSystemOf: FileSystem,
    Resolve: Resolved,
    Reverse: Resolved,
    Query: Records,
    Connect: Connected,
    Datagrams: Connected,
    Subscribe: Subscribed,
}
"""The good answer to each request; Read has none but its data."""
STREAMED = (Form.WHOLE, Form.LARGE, Form.STREAM)
"""The forms of an opened path that data follows, the last frame marked `end` even if there is none."""


class Phase(enum.Enum):
    HELD = enum.auto()
    """Not sent: too many requests are unanswered."""
    ASKED = enum.auto()
    STREAMING = enum.auto()
    """Answered; data comes until `end`."""
    KEPT = enum.auto()
    """Its stream is over, its handle or watch lives on; or it is a subscription."""


def credit_of(request: Request, answer: Answer) -> int:
    """Return the bytes that may follow an answer before any `credit`."""
    match request, answer:
        case Open(content=content), Opened(form=Form.WHOLE):
            return content
        case Open(head=head), Opened(form=Form.LARGE | Form.STREAM):
            return head
        case ListDirectory(credit=credit), Listed():
            return credit
    return 0


def phase_after(request: Request, answer: Answer, *, ended: bool) -> Phase | None:
    """Return where an id's life goes on after its answer, and after its stream if `ended`; None if it is over."""
    match request, answer:
        case Open(), Opened(form=form, complete=complete):
            if form in STREAMED and not ended:
                return Phase.STREAMING
            return None if complete or form == Form.NOTHING else Phase.KEPT
        case ListDirectory(), Listed(watched=watched):
            if not ended:
                return Phase.STREAMING
            return Phase.KEPT if watched else None
        case Subscribe(), Subscribed():
            return Phase.KEPT
    return None


@dataclass(slots=True)
class Id:
    """The record of an id."""

    request: Request
    phase: Phase
    answer: Answer | None = None
    watched: bool = False
    granted: int = 0  # bytes that may be sent, all in all
    moved: int = 0  # bytes sent or received
    taken: int = 0  # of the received, by the consumer
    window: int = 0  # what is kept granted ahead of the consumer; 0 for a stream of known length
    reserved: int = 0  # of the budget of windows, for the connection that is asked for

    def move(self, size: int) -> bool:
        """Count bytes of the stream; False if there is no credit for them."""
        self.moved += size
        return self.moved <= self.granted

    def __post_init__(self) -> None:
        if isinstance(self.request, Read):
            self.granted = self.request.length

    def set_answer(self, answer: Answer) -> None:
        """Keep the answer, and what it grants; raises TypeError for one that doesn't fit the request."""
        if not isinstance(answer, ANSWERS.get(type(self.request), ())):
            raise TypeError(f"{type(answer).__name__} to {type(self.request).__name__}")
        self.answer = answer
        self.watched = isinstance(answer, Listed) and answer.watched
        self.granted += credit_of(self.request, answer)

    def after(self, *, ended: bool) -> Phase | None:
        """Return the phase after the answer or the stream."""
        if self.answer is None:
            return None if ended else Phase.STREAMING
        phase = phase_after(self.request, self.answer, ended=ended)
        if phase == Phase.KEPT and isinstance(self.request, ListDirectory) and not self.watched:
            return None  # `changed` overtook the stream's end
        return phase
