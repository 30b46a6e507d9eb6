"""The asking end of a connection: it chooses ids, holds requests back, grants credit. No I/O.

Its counterpart is agent_end.py; what both share is in connection.py and ids.py. client puts it to use.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from mirrord_protocol.actions import Action, Answered, Came, ChangedReceived, DataReceived, Over, Welcomed
from mirrord_protocol.connection import ANSWERS, Connection, Role, State
from mirrord_protocol.failure import LocalProtocolError, RemoteProtocolError
from mirrord_protocol.framing import Frame
from mirrord_protocol.ids import FIRST_REQUESTS, Id, Phase
from mirrord_protocol.network_values import Connect, Connected, Datagrams, Incoming, Subscribe, SubscribeMode
from mirrord_protocol.two_way import BY_AGENT
from mirrord_protocol.values import (
    Answer,
    Changed,
    Close,
    Credit,
    Failure,
    FailureKind,
    Form,
    Hello,
    ListDirectory,
    Message,
    Opened,
    Read,
    Refused,
    Request,
    Welcome,
)
from mirrord_protocol.windows import DATAGRAMS, LEAST

FIRST_WINDOW = 64 << 10
"""Bytes granted at once to a stream that was opened without credit."""
TOO_MANY = Failure(FailureKind.LIMIT, None, "the session has as many connections as it may have")
UNSUBSCRIBED = Failure(FailureKind.SYSTEM, "ECONNRESET", "the subscription was closed")


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a connection has done so far."""

    round_trips: int
    """Requests asked."""
    sent_frames: int
    sent_bytes: int
    received_frames: int
    received_bytes: int


class SessionEnd(Connection):
    """The asking end."""

    role = Role.SESSION
    peer = Role.AGENT

    def __init__(self, now: float) -> None:
        super().__init__(now)
        self.asked = 0
        """Requests so far; the id of the last one."""
        self.unanswered = 0
        self._requests = FIRST_REQUESTS
        self._ids: dict[int, Id] = {}
        self._came = 0  # connections so far, of the agent's numbers
        self._held: deque[int] = deque()  # ids of requests; below 0, of handles to be closed behind them

    def statistics(self) -> Statistics:
        """Return what the connection has done so far."""
        return Statistics(
            round_trips=self.asked,
            sent_frames=self.lanes.number,
            sent_bytes=self.lanes.sent_bytes,
            received_frames=self.received_frames,
            received_bytes=self.received_bytes,
        )

    def say_hello(self, hello: Hello) -> None:
        """Begin."""
        self._say(0, hello)

    def ask(self, request: Request) -> int:
        """Queue a request, or hold it back until there is credit for it; return its id.

        The credit of what carries data both ways is set here.
        """
        if self.state not in {State.HELLO, State.OPEN}:
            raise LocalProtocolError(f"{type(request).__name__} in the state {self.state.name}")
        self.asked += 1
        window = 0
        match request:
            case Connect():
                window = self.two_ways.windows.open()
                request = replace(request, credit=window)
            case Datagrams():
                window = self.two_ways.windows.open(DATAGRAMS)
                request = replace(request, credit=window)
            case Subscribe():
                request = replace(request, credit=LEAST)
        self._ids[self.asked] = Id(request, Phase.HELD, reserved=window)
        self._held.append(self.asked)
        self._release()
        return self.asked

    def _release(self) -> None:
        while self._held and (self._held[0] < 0 or self.unanswered < self._requests):
            id_ = self._held.popleft()
            if id_ < 0:
                self._say(-id_, Close())
            elif record := self._ids.get(id_):
                record.phase = Phase.ASKED
                self.unanswered += 1
                self._say(id_, record.request)

    def close(self, id_: int) -> None:
        """Forget an id: its answer, its stream, its handle, its watch. Does nothing for one that is over."""
        if way := self.two_ways.find(id_):
            self.two_ways.close(way)
            return
        record = self._pop(id_)
        if record is None or record.phase == Phase.HELD or self.over:
            return
        if record.phase != Phase.ASKED and self._is_held(id_):
            self._held.append(-id_)
            return
        self._say(id_, Close())
        if record.phase == Phase.ASKED:
            self.unanswered -= 1
            self._release()

    def _pop(self, id_: int) -> Id | None:
        record = self._ids.pop(id_, None)
        if record is not None:
            self.two_ways.windows.close(record.reserved)
        return record

    def _is_held(self, handle: int) -> bool:
        """Tell whether reads of a handle are held back, which must go before its close."""
        requests = (record.request for id_ in self._held if (record := self._ids.get(id_)))
        return any(isinstance(request, Read) and request.handle == handle for request in requests)

    def take(self, id_: int, size: int) -> None:
        """Note that the consumer took bytes of a stream, and grant more where its length isn't known."""
        record = self._ids.get(id_)
        if record is None or record.phase != Phase.STREAMING or not record.window or self.over:
            return
        record.taken += size
        more = record.taken + record.window - record.granted
        if more * 2 >= record.window:
            record.granted += more
            self._say(id_, Credit(more))

    def _take_message(self, id_: int, message: Message, actions: list[Action]) -> None:
        match message:
            case Welcome():
                self._requests, self.lease = message.requests, message.lease / 1000
                if not self._requests or not self.lease:
                    raise RemoteProtocolError("a welcome without credit or lease")
                actions.append(Welcomed(message))
                self._release()
            case Refused(failure):
                actions.append(Over(failure, refused=True))
            case Changed():
                self._take_changed(id_, actions)
            case Failure():
                self._take_failure(id_, message, actions)
            case Credit(amount):
                if not self._take_credit(id_, amount, actions):
                    self._find_way(id_)
            case Incoming():
                self._take_incoming(id_, message, actions)
            case _ if isinstance(message, ANSWERS):
                self._take_answer(id_, message, actions)

    def _find(self, id_: int, *phases: Phase) -> Id | None:
        """Return an id's record, None if we closed it; anything else is a lie."""
        record = self._ids.get(id_)
        if record is None and (not 0 < id_ <= self.asked or self.two_ways.find(id_) is not None):
            raise RemoteProtocolError(f"id {id_:#x} was never used, or is answered")
        if record is not None and record.phase not in phases:
            raise RemoteProtocolError(f"id {id_}: not to be expected in the phase {record.phase.name}")
        return record

    def _take_answer(self, id_: int, answer: Answer, actions: list[Action]) -> None:
        record = self._find(id_, Phase.ASKED)
        if record is None:
            return
        try:
            record.set_answer(answer)
        except TypeError as error:
            raise RemoteProtocolError(f"id {id_}: {error}") from error
        if isinstance(answer, Connected) and isinstance(record.request, Connect | Datagrams):
            if isinstance(record.request, Datagrams) and not isinstance(answer.local, type(answer.peer)):
                raise RemoteProtocolError(f"id {id_}: datagrams between Unix sockets")
            self._begin_way(id_, record.reserved, record.request, answer)
            actions.append(Answered(id_, answer, last=False))
            return
        self._answered(id_, record)
        actions.append(Answered(id_, answer, id_ not in self._ids))

    def _begin_way(self, id_: int, window: int, request: Connect | Datagrams, answer: Connected) -> None:
        del self._ids[id_]  # its window lives on
        self.two_ways.open(
            id_,
            allowed=answer.credit,
            granted=window,
            window=window,
            datagrams=isinstance(request, Datagrams),
            now=self.now,
        )
        self.unanswered -= 1
        self._release()

    def _take_incoming(self, id_: int, incoming: Incoming, actions: list[Action]) -> None:
        number = id_ ^ BY_AGENT
        if number <= self._came or number >= BY_AGENT:
            raise RemoteProtocolError(f"the connection {id_:#x} after {self._came | BY_AGENT:#x}")
        self._came = number
        subscription = self._find(incoming.subscription, Phase.KEPT)
        if subscription is None:
            self._say_if_open(id_, UNSUBSCRIBED)
            return
        request = subscription.request
        if not isinstance(request, Subscribe):
            raise RemoteProtocolError(f"a connection to id {incoming.subscription}, which isn't a subscription")
        if self.two_ways.full:
            self._say_if_open(id_, TOO_MANY)
            return
        window = self.two_ways.windows.open()
        way = self.two_ways.open(id_, allowed=incoming.credit, granted=request.credit, window=window, now=self.now)
        if request.mode == SubscribeMode.MIRROR:
            self.two_ways.end_sending(way)
        actions.append(Came(id_, incoming))

    def _find_way(self, id_: int) -> None:
        """Accept what is said of an id that carried data both ways and is over; anything else is a lie."""
        known = id_ ^ BY_AGENT <= self._came if id_ & BY_AGENT else 0 < id_ <= self.asked and id_ not in self._ids
        if not known:
            raise RemoteProtocolError(f"id {id_:#x} doesn't carry data both ways")

    def _answered(self, id_: int, record: Id) -> None:
        self.unanswered -= 1
        self._move_on(id_, record, ended=False)
        unbounded = isinstance(record.request, ListDirectory) or (
            isinstance(record.answer, Opened) and record.answer.form == Form.STREAM
        )
        if unbounded:
            record.window = record.granted or FIRST_WINDOW
            self.take(id_, 0)
        self._release()

    def _move_on(self, id_: int, record: Id, *, ended: bool) -> None:
        phase = record.after(ended=ended)
        if phase is None:
            del self._ids[id_]
        else:
            record.phase = phase

    def _take_failure(self, id_: int, failure: Failure, actions: list[Action]) -> None:
        if self._take_end(id_, failure, actions):
            return
        if id_ & BY_AGENT:
            self._find_way(id_)
            return
        record = self._find(id_, Phase.ASKED, Phase.STREAMING, Phase.KEPT)
        if record is None:
            return
        if record.phase == Phase.KEPT and not isinstance(record.request, Subscribe):
            raise RemoteProtocolError(f"id {id_}: a failure after its end")
        self._pop(id_)
        actions.append(Answered(id_, failure, last=True))
        if record.phase == Phase.ASKED:
            self.unanswered -= 1
            self._release()

    def _take_changed(self, id_: int, actions: list[Action]) -> None:
        record = self._find(id_, Phase.STREAMING, Phase.KEPT)
        if record is None:
            return
        if not record.watched:
            raise RemoteProtocolError(f"id {id_}: changed, but not watched")
        record.watched = False
        if record.phase == Phase.KEPT:
            del self._ids[id_]
        actions.append(ChangedReceived(id_, id_ not in self._ids))

    def _take_other_data(self, frame: Frame, actions: list[Action]) -> None:
        id_ = frame.id
        if id_ & BY_AGENT:
            self._find_way(id_)
            return
        record = self._find(id_, Phase.ASKED, Phase.STREAMING)
        if record is None:
            return
        if record.phase == Phase.ASKED:
            if not isinstance(record.request, Read):
                raise RemoteProtocolError(f"id {id_}: data before the answer")
            self._answered(id_, record)
        if not record.move(len(frame.payload)):
            raise RemoteProtocolError(f"id {id_}: {record.moved} bytes, where {record.granted} were granted")
        if frame.end:
            self._move_on(id_, record, ended=True)
        actions.append(DataReceived(id_, frame.payload, frame.end, id_ not in self._ids))
