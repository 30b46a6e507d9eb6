"""The answering end of a connection: it takes requests, and sends answers and streams within their credit. No I/O.

Its counterpart is session_end.py; what both share is in connection.py and ids.py. server.py puts it to use.
"""

from __future__ import annotations

from mirrord_protocol.connection import Action, Asked, Closed, Connection, CreditReceived, Greeted, Role, State
from mirrord_protocol.failure import LocalProtocolError, RemoteProtocolError
from mirrord_protocol.framing import DATA_LIMIT
from mirrord_protocol.ids import FIRST_REQUESTS, Id, Phase
from mirrord_protocol.values import (
    Answer,
    Changed,
    Close,
    Credit,
    Failure,
    FileSystemOf,
    Hello,
    ListDirectory,
    Message,
    Open,
    Read,
    ReadLink,
    RealPath,
    Refused,
    StatPath,
    Welcome,
)

MOST_CREDIT = 1 << 62


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
                if record := self._ids.pop(id_, None):
                    self.unanswered -= record.phase == Phase.ASKED
                    actions.append(Closed(id_))
            case Credit(amount):
                self._known(id_)
                if record := self._ids.get(id_):
                    record.granted += amount
                    if record.granted > MOST_CREDIT:
                        raise RemoteProtocolError(f"id {id_}: more credit than any stream is long")
                    actions.append(CreditReceived(id_))
            case Open() | Read() | StatPath() | ListDirectory() | ReadLink() | RealPath() | FileSystemOf():
                if id_ <= self._last_id:
                    raise RemoteProtocolError(f"request {id_} after request {self._last_id}")
                if self.unanswered >= self._requests:
                    raise RemoteProtocolError(f"more than {self._requests} unanswered requests")
                self._last_id = id_
                self.unanswered += 1
                self._ids[id_] = Id(message, Phase.ASKED)
                actions.append(Asked(id_, message))

    def _known(self, id_: int) -> None:
        if not 0 < id_ <= self._last_id:
            raise RemoteProtocolError(f"id {id_} was never used")

    # ------------------------------------------------------------------------------------------ answers

    def alive(self, id_: int) -> bool:
        """Tell whether an id may still be spoken of: the session didn't close it, and it isn't over."""
        return id_ in self._ids and self.state == State.OPEN

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

    def fail(self, id_: int, failure: Failure) -> None:
        """Answer a request badly, or end its stream badly: the id is over, its handle closed."""
        record = self._ids.pop(id_, None)
        if record is None or self.over:
            return
        if record.phase == Phase.KEPT:
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
        view = memoryview(data)
        for at in range(0, len(data) - DATA_LIMIT, DATA_LIMIT):
            self.lanes.put_data(id_, view[at : at + DATA_LIMIT], end=False)
        rest = (len(data) - 1) // DATA_LIMIT * DATA_LIMIT if data else 0
        self.lanes.put_data(id_, view[rest:], end=end)
        if end:
            self._move_on(id_, record, ended=True)

    def finish(self, id_: int) -> None:
        """Note that nothing more will be sent: end the stream, if there is one that wasn't ended.

        Raises LocalProtocolError if the request has no answer.
        """
        if self.streaming(id_):
            self.send(id_, b"", end=True)
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
