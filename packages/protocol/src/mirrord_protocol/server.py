"""The agent's end over a Trio stream: checks the token, runs a task for each request, forgets what is closed.

What requests mean is the service's business; what may be said when is agent_end.py's. The counterpart is client.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from typing import Protocol

import trio

from mirrord_protocol.actions import Action, Asked, Closed, Greeted, Over
from mirrord_protocol.agent_end import AgentEnd
from mirrord_protocol.connections import Carrier, Connection, DatagramStream
from mirrord_protocol.driver import FLUSH, RECEIVE, Driver
from mirrord_protocol.failure import LocalProtocolError, RemoteError, failure_of
from mirrord_protocol.network_values import NOWHERE, Address, Subscribe, UnixAddress
from mirrord_protocol.values import (
    MAJOR,
    MINOR,
    Answer,
    Failure,
    FailureKind,
    Hello,
    ListDirectory,
    Open,
    Read,
    Request,
    Welcome,
)


class Reply:
    """The way back for one request. Whatever is said of an id that the session closed is dropped."""

    def __init__(self, server: _Server, id_: int) -> None:
        self._server = server
        self._id = id_
        self._connection = server.connection

    @property
    def alive(self) -> bool:
        """Whether the session still wants to hear of this id."""
        return self._connection.alive(self._id)

    def answer(self, value: Answer) -> None:
        """Answer well, once; data may follow. Raises LocalProtocolError for an answer to another kind of request."""
        self._connection.answer(self._id, value)
        self._server.answered(self._id)

    async def send(self, data: bytes | memoryview) -> None:
        """Send data of the stream, as the session grants credit. `data` must not be changed afterwards."""
        view, waited = memoryview(data), False
        while view and self.alive:
            room = self._connection.room(self._id)
            if not room:
                await self._server.carrier.senders.wait(self._id)
                waited = True
                continue
            self._connection.send(self._id, view[:room])
            self._server.driver.wake()
            view = view[room:]
        if not waited:
            await trio.lowlevel.checkpoint()

    def end(self, data: bytes | memoryview = b"") -> None:
        """End the stream well; `data` goes with it if there is credit for it, else LocalProtocolError is raised."""
        self._connection.send(self._id, data, end=True)
        self._server.driver.wake()

    def fail(self, failure: Failure) -> None:
        """Answer badly, or end the stream badly. The id is over, its handle too."""
        self._connection.fail(self._id, failure)
        self._server.answered(self._id)

    def connect(self, local: Address | UnixAddress, peer: Address | UnixAddress) -> Connection:
        """Answer `Connect`: the connection is established. It is over at once if the session closed the id.

        Raises OSError (EMFILE) where there are too many.
        """
        self._connection.connect(self._id, local, peer)
        self._server.answered(self._id)
        return self._server.carrier.connection(self._id, local, peer)

    def open_datagrams(self, local: Address, peer: Address = NOWHERE) -> DatagramStream:
        """Answer `Datagrams`: the socket is open. As `connect`."""
        self._connection.connect(self._id, local, peer)
        self._server.answered(self._id)
        return self._server.carrier.datagrams(self._id, local, peer)

    def incoming(self, peer: Address, local: Address) -> Connection:
        """Tell of a connection that has come to this subscription, which was answered; it outlives the request.

        It is over at once if the session closed the subscription. Raises OSError (EMFILE) where there are too many.
        """
        id_ = self._connection.incoming(self._id, peer, local)
        self._server.driver.wake()
        return self._server.carrier.connection(id_ or 0, local, peer)

    def changed(self) -> None:
        """Tell that the watched listing has changed; the watch is over."""
        self._connection.changed(self._id)
        self._server.driver.wake()
        self._server.look_after(self._id)


class Service(Protocol):
    """What an agent does for one session."""

    async def welcome(self, hello: Hello) -> Welcome:
        """Return the answer to a hello with the right token; an OSError or RemoteError refuses the session."""

    async def handle(self, request_id: int, request: Request, reply: Reply) -> None:
        """Carry out one request, in a task of its own.

        It must have answered when it returns; a stream that it didn't end is ended then. It is cancelled if the
        session closes the id. Requests that name the same handle run one after the other, the first of them when
        `open` was answered; a `Subscribe` begins when all subscriptions closed before have ended. An OSError becomes
        the failure that it is; any other exception ends the connection.
        """

    def closed(self, request_id: int) -> None:
        """Forget the handle or the watch of an id.

        Called once for each `Open` and `ListDirectory`, when its id is over for whatever reason and none of its
        requests runs any more.
        """


Until = Callable[[], Awaitable[Failure]]
Admit = Callable[[], Failure | None]


async def serve(
    stream: trio.abc.Stream,
    *,
    token_digest: bytes,
    service: Service,
    until: Until | None = None,
    admit: Admit = lambda: None,
) -> Failure:
    """Serve one session from the first byte to the end; return why it ended. Closes the stream.

    A session that breaks the protocol ends by this, not by an exception.

    Args:
        stream: What it comes over.
        token_digest: The SHA-256 of its token; nothing is done for a session before that was checked.
        service: What is done for it then.
        until: When it returns, the welcomed session is told its failure as goodbye, and ends.
        admit: Called when the token was found to be right, and only then; returns why this session is refused all the
            same, or None. So an agent that listens tells its session from whoever else reaches its port.
    """
    async with stream:
        return await _Server(stream, service, until).run(token_digest, admit)


def check_token(hello: Hello, token_digest: bytes) -> Failure | None:
    """Return why a hello is not for this agent, or None."""
    if hmac.compare_digest(hashlib.sha256(hello.token).digest(), token_digest):
        return None
    text = "the token is not this agent's: it serves another session; upgrade neither side, start a new session"
    return Failure(FailureKind.FORBIDDEN, None, text)


def check_version(hello: Hello) -> Failure | None:
    """Return why a session's protocol can't be spoken, or None."""
    if hello.major != MAJOR:
        side = "the agent" if hello.major > MAJOR else "mirrord on this machine, whose session asked"
        text = f"the session speaks protocol {hello.major}.{hello.minor}, the agent {MAJOR}.{MINOR}: upgrade {side}"
        return Failure(FailureKind.UNSUPPORTED, None, text)
    return None


class _Task:
    """A request under way."""

    def __init__(self, *, subscribes: bool) -> None:
        self.subscribes = subscribes
        self.scope = trio.CancelScope()
        self.done = trio.Event()
        self.answered = trio.Event()


class _Server:
    def __init__(self, stream: trio.abc.Stream, service: Service, until: Until | None) -> None:
        self.connection = AgentEnd(trio.current_time())
        self.driver = Driver(stream, self.connection, self._act, self._drained, self._settle)
        self.carrier = Carrier(self.connection, self.driver)
        self._stream = stream
        self._service = service
        self._until = until
        self._nursery: trio.Nursery | None = None
        self._tasks: dict[int, _Task] = {}
        self._kept: set[int] = set()  # ids for which `closed` must be called
        self._last: dict[int, trio.Event] = {}  # of each handle: when the next request naming it may begin
        self._given_up: set[trio.Event] = set()  # of subscriptions that were closed: when they have ended

    async def run(self, token_digest: bytes, admit: Admit) -> Failure:
        greeted = await self._greet()
        if isinstance(greeted, Failure):
            return await self._turn_away(greeted)
        failure = check_token(greeted, token_digest) or admit() or check_version(greeted)
        if failure is None:
            welcome = await self._welcome(greeted)
            if isinstance(welcome, Welcome):
                return await self._serve(welcome)
            failure = welcome
        self.connection.refuse(failure)
        return await self._turn_away(failure)

    async def _greet(self) -> Hello | Failure:
        """Wait for hello."""
        with trio.move_on_after(self.connection.lease):
            while True:
                for action in await self.driver.receive():
                    match action:
                        case Greeted(hello):
                            return hello
                        case Over(failure):
                            return failure
        return Failure(FailureKind.GONE, None, "the session didn't say hello in time")

    async def _welcome(self, hello: Hello) -> Welcome | Failure:
        try:
            return await self._service.welcome(hello)
        except OSError as error:
            return failure_of(error)
        except RemoteError as error:
            return error.failure

    async def _turn_away(self, failure: Failure) -> Failure:
        """Let the last words arrive: closing at once would destroy them where the session's own wait unread."""
        with trio.move_on_after(FLUSH):
            try:
                await self.driver.flush()
                if isinstance(self._stream, trio.abc.HalfCloseableStream):
                    await self._stream.send_eof()
                while await self._stream.receive_some(RECEIVE):
                    pass
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass
        return failure

    async def _serve(self, welcome: Welcome) -> Failure:
        try:
            actions = self.driver.guard(lambda: self.connection.accept(welcome))
        except LocalProtocolError as error:
            text = f"the agent's welcome can't be sent ({error}): leave variables out of the environment"
            failure = Failure(FailureKind.LIMIT, None, text)
            self.connection.refuse(failure)
            return await self._turn_away(failure)
        try:
            async with trio.open_nursery() as self._nursery:
                self.driver.carry_out(actions)
                if self._until is not None:
                    self._nursery.start_soon(self._end_with, self._until)
                await self.driver.run()
                self._nursery.cancel_scope.cancel()
        finally:
            for id_ in sorted(self._kept):
                self._service.closed(id_)
        return self.driver.failure or Failure(FailureKind.GONE)

    async def _end_with(self, until: Until) -> None:
        await self.driver.close(await until())

    # ------------------------------------------------------------------------------------------ actions

    def _act(self, action: Action) -> None:
        self.carrier.act(action)
        match action:
            case Asked(id_, request):
                self._start(id_, request)
            case Over(failure):
                self.carrier.lose(failure)
            case Closed(id_):
                if task := self._tasks.get(id_):
                    task.scope.cancel()
                    if task.subscribes:
                        self._given_up.add(task.done)
                self.look_after(id_)

    def _start(self, id_: int, request: Request) -> None:
        assert self._nursery
        task = self._tasks[id_] = _Task(subscribes=isinstance(request, Subscribe))
        before: tuple[trio.Event, ...] = ()
        if task.subscribes:  # a port that was given up just now can be had again
            before = tuple(self._given_up)
        elif isinstance(request, Read):
            before = (self._last[request.handle],) if request.handle in self._last else ()
            self._last[request.handle] = task.done
        elif isinstance(request, Open):
            self._last[id_] = task.answered
        if isinstance(request, Open | ListDirectory):
            self._kept.add(id_)
        self._nursery.start_soon(self._carry_out, id_, request, task, before)

    async def _carry_out(self, id_: int, request: Request, task: _Task, before: tuple[trio.Event, ...]) -> None:
        reply = Reply(self, id_)
        with task.scope:
            for event in before:
                await event.wait()
            try:
                await self._service.handle(id_, request, reply)
                self.connection.finish(id_)
                self.answered(id_)
            except OSError as error:
                reply.fail(failure_of(error))
            except Exception:
                with trio.CancelScope(shield=True):
                    text = "a defect of the agent; its log has the rest"
                    await self.driver.close(Failure(FailureKind.INTERNAL, None, text))
                raise
        del self._tasks[id_]
        task.answered.set()
        task.done.set()
        self._given_up.discard(task.done)
        if isinstance(request, Read) and self._last.get(request.handle) is task.done:
            del self._last[request.handle]
        self.look_after(id_)

    def answered(self, id_: int) -> None:
        """Note that an id has its answer: others that wait for it may begin."""
        self.driver.wake()
        self.carrier.look_after(id_)
        if task := self._tasks.get(id_):
            task.answered.set()

    def look_after(self, id_: int) -> None:
        """Forget an id's handle or watch if it is over and nothing of it runs."""
        if id_ not in self._kept or id_ in self._tasks or self.connection.alive(id_) or self.connection.over:
            return
        last = self._last.get(id_)
        if last is not None and not last.is_set():
            assert self._nursery
            self._nursery.start_soon(self._look_after_later, id_, last)
            return
        self._last.pop(id_, None)
        self._kept.remove(id_)
        self._service.closed(id_)

    async def _look_after_later(self, id_: int, last: trio.Event) -> None:
        await last.wait()
        self.look_after(id_)

    def _settle(self) -> None:
        self.carrier.settle()

    def _drained(self, ids: set[int]) -> None:
        self.carrier.senders.drained(ids)
