"""What was asked of the agent and hasn't ended: a record for each id, and the session that keeps them. For driver.py.

Ids, credit and order are session_end.py's business, bytes the connection driver's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

import trio

from mirrord_protocol.actions import Action, Answered, Came, ChangedReceived, DataReceived, Over, Welcomed
from mirrord_protocol.connections import RESET, Carrier, Connection, DatagramStream, own
from mirrord_protocol.driver import Driver
from mirrord_protocol.failure import ConnectionLost, RemoteError
from mirrord_protocol.network_values import Address, Connected, Datagrams
from mirrord_protocol.session_end import SessionEnd
from mirrord_protocol.values import Answer, Failure, FailureKind, Hello, Request, Welcome

A = TypeVar("A", bound=Answer)
Sink = Callable[[Sequence[bytes | memoryview]], None]
Accept = Callable[[Connection], None]


class Call:
    """What came for one id and wasn't taken yet."""

    def __init__(self) -> None:
        self.answer: Answer | None = None
        self.failure: Failure | None = None
        self.lost: Failure | None = None
        self.chunks: deque[bytes | memoryview] = deque()
        self.sink: Sink | None = None
        self.ended = False
        self.changed = False
        self.closed = False
        self.came = trio.Event()
        self.datagrams = False
        self.channel: Connection | DatagramStream | None = None
        self.accept: Accept | None = None

    def wake(self) -> None:
        self.came.set()

    async def wait(self) -> None:
        if self.came.is_set():  # else somebody waits already
            self.came = trio.Event()
        await self.came.wait()

    def check(self) -> None:
        """Raise what stands in the way of waiting on."""
        if self.failure:
            raise RemoteError(self.failure)
        if self.lost:
            raise ConnectionLost(self.lost)
        if self.closed:
            raise trio.ClosedResourceError("closed before its end")


class Session:
    """What the client's classes share: the connection, its driver, and a call for each id that is alive."""

    def __init__(self, stream: trio.abc.Stream, hello: Hello) -> None:
        self.connection = SessionEnd(trio.current_time())
        self.connection.say_hello(hello)
        self.driver = Driver(stream, self.connection, self._act, self._drained, self._settle)
        self.carrier = Carrier(self.connection, self.driver)
        self.welcome: Welcome | None = None
        self.welcomed = trio.Event()
        """Set at the latest when the connection is over."""
        self._calls: dict[int, Call] = {}
        self._poured: dict[int, Call] = {}  # those with a sink for which something came just now

    @property
    def reason(self) -> Failure:
        """Why the connection is over."""
        return self.driver.failure or Failure(FailureKind.GONE, None, "the connection is closed")

    def start(self, request: Request, accept: Accept | None = None) -> tuple[int, Call]:
        """Ask without waiting; raises ConnectionLost."""
        if self.connection.over:
            raise ConnectionLost(self.reason)
        id_ = self.connection.ask(request)
        call = self._calls[id_] = Call()
        call.datagrams, call.accept = isinstance(request, Datagrams), accept
        self.driver.wake()
        return id_, call

    async def ask(self, request: Request, kind: type[A], accept: Accept | None = None) -> tuple[int, Call, A]:
        """Ask and wait for the answer; raises RemoteError, ConnectionLost."""
        id_, call = self.start(request, accept)
        try:
            while call.answer is None:
                call.check()
                await call.wait()
        except trio.Cancelled:
            self.close(id_, call)
            raise
        assert isinstance(call.answer, kind)  # session_end.py lets no other through
        return id_, call, call.answer

    def took(self, id_: int, size: int) -> None:
        self.connection.take(id_, size)
        if self.connection.wants_to_send(trio.current_time()):
            self.driver.wake()

    def close(self, id_: int, call: Call) -> None:
        """Want to hear no more of an id."""
        call.closed = True
        call.wake()
        if call.channel is not None:
            call.channel.end(RESET)
        self._calls.pop(id_, None)
        self.connection.close(id_)
        self.driver.wake()

    def _act(self, action: Action) -> None:
        if self.carrier.act(action):
            return
        match action:
            case DataReceived(id_, data, end, last):
                call = self._calls.get(id_)
                if call is None:  # closed by what was done about the actions before
                    return
                call.ended = end
                if call.sink is not None:
                    if data:
                        call.chunks.append(data)
                    self._poured[id_] = call
                    if not end:
                        return
                elif data:
                    call.chunks.append(own(data))
            case Answered(id_, answer, last):
                call = self._calls.get(id_)
                if call is None:
                    return
                if isinstance(answer, Connected):
                    call.channel, last = self._channel(id_, call, answer), True
                if isinstance(answer, Failure):
                    call.failure = answer
                else:
                    call.answer = answer
            case ChangedReceived(id_, last):
                call = self._calls.get(id_)
                if call is None:
                    return
                call.changed = True
            case Came(id_, incoming):
                call = self._calls.get(incoming.subscription)
                connection = self.carrier.connection(id_, incoming.local, incoming.peer)
                if call is None or call.accept is None:
                    connection.reset()
                else:
                    call.accept(connection)
                return
            case _:
                self._act_for_all(action)
                return
        call.wake()
        if last:
            self._calls.pop(id_, None)

    def _channel(self, id_: int, call: Call, answer: Connected) -> Connection | DatagramStream:
        if not call.datagrams:
            return self.carrier.connection(id_, answer.local, answer.peer)
        assert isinstance(answer.local, Address) and isinstance(answer.peer, Address)  # by session_end.py
        return self.carrier.datagrams(id_, answer.local, answer.peer)

    def _drained(self, ids: set[int]) -> None:
        self.carrier.senders.drained(ids)

    def _settle(self) -> None:
        self.carrier.settle()
        while self._poured:
            id_, call = self._poured.popitem()
            self.pour(id_, call)

    def pour(self, id_: int, call: Call) -> None:
        if call.chunks and call.sink is not None and not call.closed:
            chunks = list(call.chunks)
            call.chunks.clear()
            self.took(id_, sum(map(len, chunks)))
            call.sink(chunks)

    def _act_for_all(self, action: Action) -> None:
        match action:
            case Welcomed(welcome):
                self.welcome = welcome
                self.welcomed.set()
            case Over(failure):
                for call in self._calls.values():
                    call.lost = failure
                    call.wake()
                self._calls.clear()
                self.carrier.lose(failure)
                self.welcomed.set()
