"""One connection as both ends see it: who may say what when, numbers, acknowledgements, liveness. No I/O.

Bytes that arrived go in, actions come out; what is to be written is pulled, so that its order is decided at the last
moment. The time is told. What the two ends do with ids is in session_end.py, agent_end.py and two_way.py, the order of
sending in lanes.py, and the sockets and clocks are driver.py's.
"""

from __future__ import annotations

import enum
from typing import get_args

from mirrord_protocol.actions import Action, CreditReceived, DataReceived, Failed, Over
from mirrord_protocol.failure import LocalProtocolError, RemoteProtocolError
from mirrord_protocol.framing import FIRST_LIMIT, MESSAGE_LIMIT, Frame, FrameReader, Kind, Lane
from mirrord_protocol.lanes import Lanes
from mirrord_protocol.messages import decode_message, encode_message
from mirrord_protocol.network_values import Incoming
from mirrord_protocol.two_way import TwoWays
from mirrord_protocol.values import (
    Ack,
    Answer,
    Changed,
    Close,
    Credit,
    Failure,
    FailureKind,
    Goodbye,
    Hello,
    Message,
    Ping,
    Pong,
    Refused,
    Request,
    Welcome,
)

ACK_BYTES = 64 << 10
ACK_FRAMES = 16
ACK_DELAY = 0.020
"""When a side that has nothing else to send acknowledges: so many bytes or frames, or seconds after the first."""
MOST_CONTROL = 64 << 20
"""Bytes of messages that may wait to be sent. Requests unanswered and windows keep whoever reads far below; who says more
and reads nothing would fill this side's memory."""
FIRST_LEASE = 30.0
"""Seconds of silence that end a connection before `welcome` has told the lease."""
STALL = 1.0
"""Seconds by which a deadline is overslept only if this process itself stood still."""

# ---------------------------------------------------------------------------------------------- states


class State(enum.IntEnum):
    START = enum.auto()
    """Nothing was said."""
    HELLO = enum.auto()
    """The session said hello and waits, or the agent looks at it."""
    OPEN = enum.auto()
    OVER = enum.auto()


class Role(enum.IntEnum):
    SESSION = enum.auto()
    AGENT = enum.auto()


REQUESTS = get_args(Request)
ANSWERS = get_args(Answer)
BY_SESSION = (*REQUESTS, Close, Credit, Failure)
BY_AGENT = (*ANSWERS, Failure, Changed, Credit, Incoming)
BY_BOTH = (Ping, Pong, Ack)
NEXT: dict[tuple[State, Role, type], State] = {
    (State.START, Role.SESSION, Hello): State.HELLO,
    (State.HELLO, Role.AGENT, Welcome): State.OPEN,
    (State.HELLO, Role.AGENT, Refused): State.OVER,
    # Requests may follow `hello` at once; the agent looks at them when it has said `welcome`.
    **{(State.HELLO, Role.SESSION, said): State.HELLO for said in (*BY_SESSION, *BY_BOTH)},
    **{(State.OPEN, Role.SESSION, said): State.OPEN for said in (*BY_SESSION, *BY_BOTH)},
    **{(State.OPEN, Role.AGENT, said): State.OPEN for said in (*BY_AGENT, *BY_BOTH)},
    **{(state, role, Goodbye): State.OVER for state in (State.START, State.HELLO, State.OPEN) for role in Role},
}
"""Who may say what in which state, and the state after it. What isn't here breaks the protocol."""
_ACK = Ack()
ACK = encode_message(_ACK)


class Connection:
    """What both ends share; see SessionEnd and AgentEnd for their own halves.

    Every method that is told the time wants seconds of one steady clock. After an error nothing may be called but
    `say_goodbye` and `pull`.
    """

    role: Role
    peer: Role

    def __init__(self, now: float) -> None:
        self.state = State.START
        self.now = now
        """When it was told the time last; good enough to judge how long a consumer took."""
        self.lease = FIRST_LEASE
        """Seconds of silence that end the connection."""
        self.lanes = Lanes()
        self.two_ways = TwoWays(self.lanes, self._say_if_open)
        self.received_frames = 0
        self.received_bytes = 0
        self._frames = FrameReader(FIRST_LIMIT if self.role == Role.AGENT else MESSAGE_LIMIT)
        self._held_frames: list[Frame] = []
        self._acknowledged = 0  # of our frames, by the other side
        self._unacknowledged_bytes = 0
        self._unacknowledged_frames = 0
        self._ack_at: float | None = None
        self._pong: int | None = None
        self._heard_at = now
        self._overslept = False
        self._pinged_at = now
        self._pings = 0

    @property
    def over(self) -> bool:
        """Whether nothing will be received any more."""
        return self.state == State.OVER

    # ------------------------------------------------------------------------------------------ in

    def receive(self, data: bytes | memoryview, now: float) -> list[Action]:
        """Take bytes that arrived, none of them at the end of the stream; return what is to be done.

        Raises RemoteProtocolError.
        """
        if self.over:
            return []
        if not data:
            self.state = State.OVER
            rest = " in the middle of a frame" if self._frames.waiting else ""
            return [Over(Failure(FailureKind.GONE, None, f"the connection was closed{rest}"))]
        if self.lanes.control_bytes > MOST_CONTROL:
            raise RemoteProtocolError(f"it reads nothing, and {self.lanes.control_bytes} bytes wait for it")
        self.now = self._heard_at = now
        self._overslept = False
        self.received_bytes += len(data)
        actions: list[Action] = []
        find = self.two_ways.find
        for frame in self._frames.feed(data):
            self._count(frame, now)
            if (
                frame.kind is Kind.DATA
                and (way := find(frame.id)) is not None
                and self.state is State.OPEN
                and frame.lane is Lane.BULK
            ):  # by far the most
                self.two_ways.take_data(way, frame)
                actions.append(DataReceived(frame.id, frame.payload, frame.end, way.over))
            elif self.state == State.HELLO and self.role == Role.AGENT:
                self._held_frames.append(frame)  # not looked at before the token was checked
            elif not self.over:
                self._take(frame, actions)
        return actions

    def _count(self, frame: Frame, now: float) -> None:
        if frame.number != self.received_frames + 1:
            raise RemoteProtocolError(f"frame {frame.number} after frame {self.received_frames}")
        if not self._acknowledged <= frame.acknowledged <= self.lanes.number:
            raise RemoteProtocolError(f"frame {frame.acknowledged} acknowledged, where {self.lanes.number} were sent")
        self.received_frames += 1
        if frame.acknowledged > self._acknowledged:
            self._acknowledged = frame.acknowledged
            self.lanes.pace.acknowledged(frame.acknowledged, now)
        if frame.kind == Kind.DATA or frame.payload != ACK:  # an acknowledgement isn't acknowledged by itself
            self._unacknowledged_frames += 1
            self._unacknowledged_bytes += len(frame.payload)
            if self._ack_at is None:
                self._ack_at = now + ACK_DELAY

    def _take(self, frame: Frame, actions: list[Action]) -> None:
        if frame.kind == Kind.DATA:
            if self.state != State.OPEN or frame.lane != Lane.BULK or not frame.id:
                raise RemoteProtocolError("data in the wrong lane, of no id, or before `welcome`")
            self._take_other_data(frame, actions)
            return
        message = _ACK if frame.payload == ACK else decode_message(frame.payload)
        self.state = self._after(self.peer, message, RemoteProtocolError)
        match message:
            case Ping(number):
                self._pong = number
            case Pong() | Ack():
                pass
            case Goodbye(failure):
                actions.append(Over(failure))
            case _:
                if frame.lane == Lane.BULK and not isinstance(message, Failure):
                    raise RemoteProtocolError(f"{type(message).__name__} in the bulk lane")
                self._take_message(frame.id, message, actions)

    def _take_other_data(self, frame: Frame, actions: list[Action]) -> None:
        """Take a data frame, in the state OPEN, of an id that isn't open both ways."""
        raise NotImplementedError

    def _take_credit(self, id_: int, amount: int, actions: list[Action]) -> bool:
        """Take credit for an id that is open both ways; False if it isn't."""
        way = self.two_ways.find(id_)
        if way is None:
            return False
        self.two_ways.take_credit(way, amount)
        actions.append(CreditReceived(id_))
        return True

    def _take_end(self, id_: int, failure: Failure, actions: list[Action]) -> bool:
        """Take the bad end of an id that is open both ways; False if it isn't."""
        way = self.two_ways.find(id_)
        if way is None:
            return False
        self.two_ways.take_end(way)
        actions.append(Failed(id_, failure))
        return True

    def _take_message(self, id_: int, message: Message, actions: list[Action]) -> None:
        raise NotImplementedError

    def _after(self, role: Role, message: Message, error: type[LocalProtocolError | RemoteProtocolError]) -> State:
        after = NEXT.get((self.state, role, type(message)))
        if after is None:
            raise error(f"{type(message).__name__} by the {role.name.lower()} in the state {self.state.name}")
        return after

    # ------------------------------------------------------------------------------------------ out

    def _say(self, id_: int, message: Message, *, bulk: bool = False) -> None:
        """Queue a message; raises LocalProtocolError."""
        encoded, after = encode_message(message), self._after(self.role, message, LocalProtocolError)
        if bulk:
            self.lanes.put_bulk_message(id_, encoded)
        else:
            self.lanes.put_control(id_, encoded)
        self.state = after

    def _say_if_open(self, id_: int, message: Message, *, bulk: bool = False) -> None:
        if not self.over:
            self._say(id_, message, bulk=bulk)

    def say_goodbye(self, failure: Failure) -> None:
        """Queue the last message and forget whatever else waits; nothing is received after it."""
        if not self.over:
            self.lanes.clear()
            self._say(0, Goodbye(failure))

    def fall(self) -> None:
        """Forget whatever waits: the connection is broken."""
        self.state = State.OVER
        self.lanes.clear()
        self._pong = self._ack_at = None

    def wants_to_send(self, now: float) -> bool:
        """Tell whether `pull` has something."""
        return self._pong is not None or self.lanes.waiting or self._ack_is_due(now)

    def _may_say(self, kind: type) -> bool:
        return (self.state, self.role, kind) in NEXT

    def _ack_is_due(self, now: float) -> bool:
        if self._ack_at is None or not self._may_say(Ack):
            return False
        return (
            self._unacknowledged_bytes >= ACK_BYTES or self._unacknowledged_frames >= ACK_FRAMES or now >= self._ack_at
        )

    def pull(self, now: float) -> list[bytes | memoryview]:
        """Return the pieces to write next, in order, as one batch; empty if there is nothing."""
        self.now = now
        if self._pong is not None and self._may_say(Pong):
            self._say(0, Pong(self._pong))
        self._pong = None
        pieces = self.lanes.pull(self.received_frames, now)
        if not pieces and self._ack_is_due(now):
            self.lanes.put_control(0, ACK)
            pieces = self.lanes.pull(self.received_frames, now)
        if pieces or self.over:
            self._unacknowledged_frames = self._unacknowledged_bytes = 0
            self._ack_at = None
        return pieces

    @property
    def ack_at(self) -> float | None:
        """When `pull` is to be called even if nothing else happens."""
        return self._ack_at if self._may_say(Ack) else None

    # ------------------------------------------------------------------------------------------ time

    @property
    def deadline(self) -> float:
        """When `tick` is to be called next; it may be called at any other time too."""
        silence = self._heard_at + self.lease
        return min(silence, self._pinged_at + self.lease / 3) if self._must_ping else silence

    @property
    def _must_ping(self) -> bool:
        return self.role == Role.SESSION and self.state == State.OPEN

    def tick(self, now: float) -> list[Action]:
        """Look at the time: ping, or hold the other side to be gone."""
        if self.over:
            return []
        silence = now - self._heard_at
        if silence > self.lease + STALL and not self._overslept:
            # This process slept, not they; what they sent meanwhile is still to be read.
            self._heard_at, self._overslept = now - self.lease / 2, True
        elif silence >= self.lease:
            self.state = State.OVER
            text = f"nothing was heard from the {self.peer.name.lower()} for {silence:.1f} s"
            return [Over(Failure(FailureKind.GONE, None, text))]
        if self._must_ping and now - self._pinged_at >= self.lease / 3:
            self._pinged_at = now
            self._pings += 1
            self._say(0, Ping(self._pings))
        return []
