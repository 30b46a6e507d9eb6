"""Ends of a connection without I/O: under a script (`EndScript`, for playbook.py) or joined in a pair (`Wire`).

Time stands still until it is told. Streams, tasks and processes are driver.py's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mirrord_protocol.actions import Action
from mirrord_protocol.agent_end import AgentEnd
from mirrord_protocol.connection import ACK, Connection
from mirrord_protocol.framing import Frame, FrameReader, Kind, Lane, encode_frame
from mirrord_protocol.messages import decode_message, encode_message
from mirrord_protocol.session_end import SessionEnd
from mirrord_protocol.values import Message


@dataclass(frozen=True)
class Hear:
    """Event: the other side says this."""

    message: Message
    id: int = 0
    lane: Lane = Lane.CONTROL


@dataclass(frozen=True)
class HearData:
    """Event: the other side sends this data."""

    data: bytes
    id: int
    end: bool = False


@dataclass(frozen=True)
class Do:
    """Event: the end's method of this name is called. A list that it returns is actions, anything else is ignored."""

    name: str
    arguments: tuple[Any, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class At:
    """Event: so many seconds have gone by since the beginning."""

    time: float


@dataclass(frozen=True)
class Said:
    """Action: the end says this."""

    message: Message
    id: int = 0
    lane: Lane = Lane.CONTROL


@dataclass(frozen=True)
class SaidData:
    """Action: the end sends this data."""

    data: bytes
    id: int
    end: bool = False


EndEvent = Hear | HearData | Do | At
EndAction = Action | Said | SaidData


class EndScript:
    """One end whose other side is the script.

    Whatever it says is acknowledged by the next frame that it hears; its own acknowledgements are left out.
    """

    def __init__(self, end: Connection) -> None:
        self.end = end
        self.now = 0.0
        self._number = 0
        self._frames = FrameReader()

    def handle(self, event: EndEvent) -> list[EndAction]:
        """Let the event happen; return the end's actions, then what it sends."""
        actions: list[EndAction] = []
        match event:
            case Hear(message, id_, lane):
                actions += self._hear(Kind.MESSAGE, lane, id_, encode_message(message), end=False)
            case HearData(data, id_, end):
                actions += self._hear(Kind.DATA, Lane.BULK, id_, data, end=end)
            case Do(name, arguments, options):
                result = getattr(self.end, name)(*arguments, **options)
                actions += result if isinstance(result, list) else []
            case At(time):
                self.now = time
                actions += self.end.tick(time)
        return actions + self._said()

    def _hear(self, kind: Kind, lane: Lane, id_: int, payload: bytes, *, end: bool) -> list[Action]:
        self._number += 1
        frame = Frame(kind, lane, self._number, self.end.lanes.number, id_, payload, end)
        return self.end.receive(b"".join(encode_frame(frame)), self.now)

    def _said(self) -> list[EndAction]:
        said: list[EndAction] = []
        while pieces := self.end.pull(self.now):
            for frame in self._frames.feed(b"".join(pieces)):
                if frame.kind == Kind.DATA:
                    said.append(SaidData(bytes(frame.payload), frame.id, frame.end))
                elif frame.payload != ACK:
                    said.append(Said(decode_message(frame.payload), frame.id, frame.lane))
        return said


class Wire:
    """Joins two ends. `piece` is the number of bytes that arrive at once: 1 to be difficult, None for all there are."""

    def __init__(self, session: SessionEnd, agent: AgentEnd, piece: int | None = None) -> None:
        self.session = session
        self.agent = agent
        self.now = 0.0
        self.from_session: list[Action] = []
        """Actions of the agent's end."""
        self.from_agent: list[Action] = []
        """Actions of the session's end."""
        self._piece = piece

    def run(self, act: Callable[[Action], None] | None = None) -> None:
        """Carry bytes both ways until both ends are quiet; `act` is told of each action at once."""
        while self._carry(self.session, self.agent, self.from_session, act) or self._carry(
            self.agent, self.session, self.from_agent, act
        ):
            pass

    def _carry(
        self, sender: Connection, receiver: Connection, actions: list[Action], act: Callable[[Action], None] | None
    ) -> bool:
        data = b"".join(sender.pull(self.now))
        piece = self._piece or max(1, len(data))
        for at in range(0, len(data), piece):
            for action in receiver.receive(data[at : at + piece], self.now):
                actions.append(action)
                if act:
                    act(action)
        return bool(data)
