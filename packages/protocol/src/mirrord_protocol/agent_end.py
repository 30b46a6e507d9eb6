"""The answering end of a connection: it takes requests, and sends answers and streams within their credit. No I/O.

Its counterpart is session_end.py; what both share is in connection.py, ids.py and two_way.py. server.py puts it to use.
"""

from __future__ import annotations

import errno
import os

from mirrord_protocol.actions import Action, Asked, Closed, CreditReceived, Greeted
from mirrord_protocol.connection import REQUESTS, Connection, Role, State
from mirrord_protocol.failure import LocalProtocolError, RemoteProtocolError
from mirrord_protocol.framing import Frame
from mirrord_protocol.ids import FIRST_REQUESTS, Id, Phase
from mirrord_protocol.network_values import (
    Address,
    Connect,
    Connected,
    Datagrams,
    Incoming,
    Subscribe,
    SubscribeMode,
    UnixAddress,
)
from mirrord_protocol.two_way import BY_AGENT, MOST_CREDIT
from mirrord_protocol.values import (
    Answer,
    Changed,
    Close,
    Credit,
    Failure,
    FailureKind,
    Hello,
    Message,
    Read,
    Refused,
    Welcome,
)
from mirrord_protocol.windows import DATAGRAMS, LEAST

LEFT = Failure(FailureKind.SYSTEM, "ECONNRESET", "the agent has given it up")


class AgentEnd(Connection):
    """The answering end."""

    role = Role.AGENT
    peer = Role.SESSION

    def __init__(self, now: float) -> None:
        super().__init__(now)
        self.unanswered = 0
        self._requests = FIRST_REQUESTS
        self._ids: dict[int, Id] = {}
        self._last_id = 0
        self._came = 0  # connections told to the session so far

    def accept(self, welcome: Welcome) -> list[Action]:
        """Answer hello; return what is to be done about what came behind it."""
        self._say(0, welcome)
        self._requests, self.lease = max(welcome.requests, FIRST_REQUESTS), welcome.lease / 1000
        held, self._held_frames = self._held_frames, []
        actions: list[Action] = []
        for frame in held:
            if self.state == State.OPEN:
                self._take(frame, actions)
        return actions

    def refuse(self, failure: Failure) -> None:
        """Answer hello with a failure; the connection ends after it."""
        self._held_frames.clear()
        self._say(0, Refused(failure))

    def _take_message(self, id_: int, message: Message, actions: list[Action]) -> None:
        match message:
            case Hello():
                actions.append(Greeted(message))
            case Close():
                self._known(id_)
                self.lanes.drop(id_)
                if way := self.two_ways.find(id_):
                    self.two_ways.take_end(way)
                    actions.append(Closed(id_))
                elif record := self._ids.pop(id_, None):
                    self.unanswered -= record.phase == Phase.ASKED
                    actions.append(Closed(id_))
            case Credit(amount):
                self._known(id_)
                if self._take_credit(id_, amount, actions):
                    return
                if record := self._ids.get(id_):
                    record.granted += amount
                    if record.granted > MOST_CREDIT:
                        raise RemoteProtocolError(f"id {id_}: more credit than any stream is long")
                    actions.append(CreditReceived(id_))
            case Failure():
                self._known(id_)
                if not self._take_end(id_, message, actions) and id_ in self._ids:
                    raise RemoteProtocolError(f"id {id_}: a failure by the session")
            case _ if isinstance(message, REQUESTS):
                if not self._last_id < id_ < BY_AGENT:
                    raise RemoteProtocolError(f"request {id_} after request {self._last_id}")
                if self.unanswered >= self._requests:
                    raise RemoteProtocolError(f"more than {self._requests} unanswered requests")
                self._last_id = id_
                self.unanswered += 1
                self._ids[id_] = Id(message, Phase.ASKED)
                actions.append(Asked(id_, message))

    def _known(self, id_: int) -> None:
        if not (0 < id_ <= self._last_id or BY_AGENT < id_ <= self._came | BY_AGENT):
            raise RemoteProtocolError(f"id {id_:#x} was never used")

    def _take_other_data(self, frame: Frame, actions: list[Action]) -> None:
        del actions
        self._known(frame.id)
        if frame.id in self._ids:
            raise RemoteProtocolError(f"id {frame.id}: data by the session")

    # ------------------------------------------------------------------------------------------ answers

    def alive(self, id_: int) -> bool:
        """Tell whether an id may still be spoken of: the session didn't close it, and it isn't over."""
        return (id_ in self._ids or self.two_ways.find(id_) is not None) and self.state == State.OPEN

    def streaming(self, id_: int) -> bool:
        """Tell whether an id's stream wants data, or its end."""
        record = self._ids.get(id_)
        return record is not None and (
            record.phase == Phase.STREAMING or (record.phase == Phase.ASKED and isinstance(record.request, Read))
        )

    def answer(self, id_: int, answer: Answer) -> None:
        """Answer a request well. Does nothing if the session closed its id meanwhile."""
        record = self._ids.get(id_)
        if record is None or self.over:
            return
        if record.phase != Phase.ASKED:
            raise LocalProtocolError(f"id {id_}: {type(answer).__name__} in the phase {record.phase.name}")
        try:
            record.set_answer(answer)
        except TypeError as error:
            raise LocalProtocolError(f"id {id_}: {error}") from error
        self._say(id_, answer)
        self._begin(id_, record)

    def _begin(self, id_: int, record: Id) -> None:
        self.unanswered -= 1
        self._move_on(id_, record, ended=False)

    def _move_on(self, id_: int, record: Id, *, ended: bool) -> None:
        phase = record.after(ended=ended)
        if phase is None:
            del self._ids[id_]
        else:
            record.phase = phase

    def connect(self, id_: int, local: Address | UnixAddress, peer: Address | UnixAddress) -> bool:
        """Answer `Connect` or `Datagrams`: the id carries data both ways from now on. False if the session closed it.

        Raises OSError (EMFILE) if there are too many already.
        """
        record = self._ids.get(id_)
        if record is None or self.over:
            return False
        request = record.request
        if record.phase != Phase.ASKED or not isinstance(request, Connect | Datagrams):
            raise LocalProtocolError(f"id {id_}: Connected to {type(request).__name__}")
        if self.two_ways.full:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        datagrams = isinstance(request, Datagrams)
        window = self.two_ways.windows.open(DATAGRAMS if datagrams else LEAST)
        self._say(id_, Connected(local, peer, window))
        del self._ids[id_]
        self.unanswered -= 1
        self.two_ways.open(
            id_, allowed=request.credit, granted=window, window=window, datagrams=datagrams, now=self.now
        )
        return True

    def incoming(self, subscription: int, peer: Address, local: Address) -> int | None:
        """Tell the session of a connection; return its id, or None if the subscription was closed meanwhile.

        Raises OSError (EMFILE) if there are too many already.
        """
        record = self._ids.get(subscription)
        if record is None or self.over:
            return None
        request = record.request
        if record.phase != Phase.KEPT or not isinstance(request, Subscribe):
            raise LocalProtocolError(f"id {subscription}: a connection, but not subscribed")
        if self.two_ways.full:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        self._came += 1
        id_ = self._came | BY_AGENT
        mirror = request.mode == SubscribeMode.MIRROR
        window = 0 if mirror else self.two_ways.windows.open()
        self._say(id_, Incoming(subscription, peer, local, window))
        way = self.two_ways.open(id_, allowed=request.credit, granted=window, window=window, now=self.now)
        if mirror:
            self.two_ways.end_coming(way)
        return id_

    def fail(self, id_: int, failure: Failure) -> None:
        """Answer a request badly, or end its stream badly: the id is over, its handle closed."""
        if way := self.two_ways.find(id_):
            self.two_ways.fail(way, failure)
            return
        record = self._ids.pop(id_, None)
        if record is None or self.over:
            return
        if record.phase == Phase.KEPT and not isinstance(record.request, Subscribe):
            raise LocalProtocolError(f"id {id_}: a failure after its end")
        self._say(id_, failure, bulk=record.phase == Phase.STREAMING)
        self.unanswered -= record.phase == Phase.ASKED

    def room(self, id_: int) -> int:
        """Return how many bytes `send` takes now; 0 for an id that is over."""
        record = self._ids.get(id_)
        if record is None or self.over:
            return 0
        return max(0, min(record.granted - record.moved, self.lanes.room(id_)))

    def send(self, id_: int, data: bytes | memoryview, *, end: bool = False) -> None:
        """Queue data of a stream: at most `room` bytes, which must not be changed afterwards."""
        if not self.alive(id_):
            return
        record = self._ids[id_]
        if not self.streaming(id_):
            raise LocalProtocolError(f"id {id_}: data in the phase {record.phase.name}")
        if record.phase == Phase.ASKED:
            self._begin(id_, record)
        if not record.move(len(data)):
            raise LocalProtocolError(f"id {id_}: {record.moved} bytes, where {record.granted} were granted")
        self.lanes.put_stream(id_, data, end=end)
        if end:
            self._move_on(id_, record, ended=True)

    def finish(self, id_: int) -> None:
        """Note that nothing more will be sent: end the stream, if there is one that wasn't ended.

        Raises LocalProtocolError if the request has no answer.
        """
        if self.streaming(id_):
            self.send(id_, b"", end=True)
        elif self.two_ways.find(id_) or ((record := self._ids.get(id_)) and isinstance(record.request, Subscribe)):
            self.fail(id_, LEFT)
        elif self.alive(id_) and self._ids[id_].phase == Phase.ASKED:
            raise LocalProtocolError(f"id {id_}: left without an answer")

    def changed(self, id_: int) -> None:
        """Tell that something below a watched listing has changed; the watch is over."""
        record = self._ids.get(id_)
        if record is None or not record.watched or self.over:
            return
        record.watched = False
        self._say(id_, Changed())
        if record.phase == Phase.KEPT:
            del self._ids[id_]
