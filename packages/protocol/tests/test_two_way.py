"""Ids that carry data both ways, on both ends: answers, credit, half-closes, bad ends, and what a liar may not say."""

from __future__ import annotations

import pytest

from mirrord_protocol.actions import Answered, Asked, Came, Closed, CreditReceived, DataReceived, Failed, Greeted
from mirrord_protocol.agent_end import LEFT, AgentEnd
from mirrord_protocol.connection import Connection
from mirrord_protocol.failure import LocalProtocolError, RemoteProtocolError
from mirrord_protocol.framing import DATA_LIMIT, Lane
from mirrord_protocol.lanes import QUEUE
from mirrord_protocol.network_messages import encode_layer_address
from mirrord_protocol.network_values import (
    NOWHERE,
    Connect,
    Connected,
    Datagrams,
    Incoming,
    Query,
    Records,
    Subscribe,
    Subscribed,
    SubscribeMode,
)
from mirrord_protocol.session_end import TOO_MANY, UNSUBSCRIBED, SessionEnd
from mirrord_protocol.testing import EndScript, Hear, HearData, Said, SaidData
from mirrord_protocol.two_way import BY_AGENT, MOST_CREDIT, TwoWay
from mirrord_protocol.values import Answer, Close, Credit, Failure, FailureKind, Hello, Request, Welcome
from mirrord_protocol.windows import DATAGRAMS, FIRST, LEAST, MOST, MOST_IDS
from protocol_samples import ADDRESS, ADDRESS6, FAILURE, TARGET, TOKEN, UNIX

RESET = Failure(FailureKind.SYSTEM, "ECONNRESET")
STEAL = Subscribe(port=80, mode=SubscribeMode.STEAL, credit=LEAST)
MIRROR = Subscribe(port=80, mode=SubscribeMode.MIRROR, credit=LEAST)
CONNECTED = Connected(ADDRESS, ADDRESS6, 100)
INCOMING = Incoming(1, ADDRESS6, ADDRESS, 100)
MUTE = Incoming(1, ADDRESS6, ADDRESS, 0)
FIRST_ID = BY_AGENT | 1
DATAGRAM = encode_layer_address(ADDRESS) + b"content"


def way(end: Connection, id_: int) -> TwoWay:
    found = end.two_ways.find(id_)
    assert found
    return found


class Session:
    """A welcomed session whose agent is the script."""

    def __init__(self, requests: int = 100) -> None:
        self.end = SessionEnd(0.0)
        self.script = EndScript(self.end)
        self.end.say_hello(Hello(TOKEN))
        self.script.handle(Hear(Welcome(target=TARGET, requests=requests)))

    def said(self) -> list[object]:
        return list(self.script._said())

    def ask(self, request: Request, answer: Answer) -> int:
        id_ = self.end.ask(request)
        self.said()
        assert self.script.handle(Hear(answer, id_)) == [
            Answered(id_, answer, last=isinstance(answer, Records | Failure))
        ]
        return id_

    def connect(self) -> TwoWay:
        return way(self.end, self.ask(Connect(ADDRESS), CONNECTED))

    def subscribe(self, request: Subscribe = STEAL) -> TwoWay:
        self.ask(request, Subscribed())
        incoming = MUTE if request is MIRROR else INCOMING
        assert self.script.handle(Hear(incoming, FIRST_ID)) == [Came(FIRST_ID, incoming)]
        return way(self.end, FIRST_ID)


class Agent:
    """An agent that welcomed its session, which is the script."""

    def __init__(self) -> None:
        self.end = AgentEnd(0.0)
        self.script = EndScript(self.end)
        assert self.script.handle(Hear(Hello(TOKEN))) == [Greeted(Hello(TOKEN))]
        self.end.accept(Welcome(target=TARGET))
        self.said()

    def said(self) -> list[object]:
        return list(self.script._said())

    def asked(self, id_: int, request: Request) -> None:
        assert self.script.handle(Hear(request, id_)) == [Asked(id_, request)]

    def connect(self, request: Connect | Datagrams = Connect(ADDRESS, 100)) -> TwoWay:  # noqa: B008 - never changed
        self.asked(1, request)
        assert self.end.connect(1, ADDRESS, ADDRESS6)
        window = DATAGRAMS if isinstance(request, Datagrams) else 0
        size = max(window, FIRST)
        assert self.said() == [Said(Connected(ADDRESS, ADDRESS6, size), 1)]
        return way(self.end, 1)

    def subscribe(self, request: Subscribe = STEAL) -> TwoWay:
        self.asked(1, request)
        self.end.answer(1, Subscribed())
        id_ = self.end.incoming(1, ADDRESS6, ADDRESS)
        assert id_ == FIRST_ID
        credit = 0 if request is MIRROR else FIRST
        assert self.said() == [Said(Subscribed(), 1), Said(Incoming(1, ADDRESS6, ADDRESS, credit), id_)]
        return way(self.end, id_)


# ---------------------------------------------------------------------------------------------- requests


def test_a_connect_carries_its_credit_and_is_answered_once() -> None:
    session = Session()
    id_ = session.end.ask(Connect(UNIX))

    assert session.said() == [Said(Connect(UNIX, FIRST), id_)]
    assert session.script.handle(Hear(CONNECTED, id_)) == [Answered(id_, CONNECTED, last=False)]
    assert (session.end.unanswered, way(session.end, id_).allowed) == (0, 100)
    with pytest.raises(RemoteProtocolError):
        session.script.handle(Hear(CONNECTED, id_))


def test_a_connect_that_failed_gives_its_window_back() -> None:
    session = Session()
    session.ask(Connect(ADDRESS), FAILURE)  # type: ignore[arg-type]

    assert (session.end.two_ways.windows.total, session.end.unanswered) == (0, 0)


@pytest.mark.parametrize("answered", [False, True])
def test_a_connect_that_was_closed_gives_its_window_back(answered: bool) -> None:
    session = Session()
    id_ = session.end.ask(Connect(ADDRESS))
    session.said()
    if answered:
        session.script.handle(Hear(CONNECTED, id_))
    session.end.close(id_)

    assert session.said() == [Said(Close(), id_)]
    assert (session.end.two_ways.windows.total, session.end.unanswered) == (0, 0)
    for late in (HearData(b"x", id_), Hear(Credit(1), id_), Hear(RESET, id_, Lane.BULK)):
        assert session.script.handle(late) == []


def test_a_connect_that_was_held_back_is_closed_without_a_word() -> None:
    session = Session(requests=1)
    session.end.ask(Query(b"x"))
    id_ = session.end.ask(Connect(ADDRESS))
    session.said()
    session.end.close(id_)

    assert (session.said(), session.end.two_ways.windows.total) == ([], 0)


def test_a_subscription_is_no_unanswered_request() -> None:
    session, agent = Session(requests=1), Agent()
    session.subscribe()
    agent.subscribe()

    assert (session.end.unanswered, agent.end.unanswered) == (0, 0)
    assert session.ask(Query(b"x"), Records(b"y")) == 2


@pytest.mark.parametrize("answer", [CONNECTED, Records(b"")])
def test_answers_to_something_else_break_the_protocol(answer: Answer) -> None:
    session = Session()
    id_ = session.end.ask(STEAL)
    with pytest.raises(RemoteProtocolError):
        session.script.handle(Hear(answer, id_))


def test_a_subscription_may_end_badly() -> None:
    session, agent = Session(), Agent()
    id_ = session.ask(STEAL, Subscribed())
    agent.subscribe()
    agent.end.fail(1, FAILURE)

    assert agent.said() == [Said(FAILURE, 1)]
    assert session.script.handle(Hear(FAILURE, id_)) == [Answered(id_, FAILURE, last=True)]


def test_datagrams_are_of_the_internet() -> None:
    session = Session()
    id_ = session.end.ask(Datagrams())
    with pytest.raises(RemoteProtocolError, match="datagrams"):
        session.script.handle(Hear(Connected(ADDRESS, UNIX, 5), id_))


def test_the_agent_answers_what_was_asked() -> None:
    agent = Agent()
    agent.asked(1, Query(b"x"))
    agent.asked(2, STEAL)
    with pytest.raises(LocalProtocolError):
        agent.end.connect(1, ADDRESS, ADDRESS)
    with pytest.raises(LocalProtocolError):
        agent.end.incoming(2, ADDRESS, ADDRESS)
    agent.script.handle(Hear(Close(), 2))

    assert agent.end.incoming(2, ADDRESS, ADDRESS) is None
    assert not agent.end.connect(2, ADDRESS, ADDRESS)


def test_the_agent_leaves_nothing_open() -> None:
    agent = Agent()
    agent.subscribe()
    agent.asked(2, Connect(ADDRESS, 5))
    agent.end.connect(2, ADDRESS, ADDRESS)
    agent.said()
    agent.end.finish(1)
    agent.end.finish(2)

    assert agent.said() == [Said(LEFT, 1), Said(LEFT, 2, Lane.BULK)]
    assert agent.end.alive(FIRST_ID)


# ---------------------------------------------------------------------------------------------- data


def both(kind: str) -> tuple[Session | Agent, TwoWay]:
    """One end with a connection on which 100 bytes may be sent."""
    match kind:
        case "session":
            session = Session()
            return session, session.connect()
        case "stolen":
            session = Session()
            return session, session.subscribe()
        case _:
            agent = Agent()
            return agent, agent.connect()


@pytest.mark.parametrize("kind", ["session", "stolen", "agent"])
def test_bytes_and_half_closes_both_ways(kind: str) -> None:
    side, one = both(kind)
    ways = side.end.two_ways
    ways.send(one, b"hello")
    ways.send(one, b"", end=True)

    assert side.said() == [SaidData(b"hello", one.id), SaidData(b"", one.id, True)]
    assert (ways.room(one), one.over) == (0, False)
    assert side.script.handle(HearData(b"x", one.id)) == [DataReceived(one.id, b"x", False, False)]
    assert side.script.handle(HearData(b"yz", one.id, True)) == [DataReceived(one.id, b"yz", True, True)]
    assert (one.over, ways.find(one.id), len(ways)) == (True, None, 0)
    assert ways.windows.total == 0


@pytest.mark.parametrize("kind", ["session", "stolen", "agent"])
def test_the_other_side_may_end_first(kind: str) -> None:
    side, one = both(kind)
    assert side.script.handle(HearData(b"x", one.id, True)) == [DataReceived(one.id, b"x", True, False)]
    with pytest.raises(RemoteProtocolError, match="after its end"):
        side.script.handle(HearData(b"y", one.id))
    side.end.two_ways.send(one, b"bye", end=True)

    assert (side.said(), one.over) == ([SaidData(b"bye", one.id, True)], True)


@pytest.mark.parametrize("kind", ["session", "stolen", "agent"])
def test_a_reset_goes_behind_the_data(kind: str) -> None:
    side, one = both(kind)
    side.end.two_ways.send(one, b"last")
    side.end.two_ways.fail(one, RESET)
    side.end.two_ways.fail(one, RESET)
    side.end.two_ways.send(one, b"too late")

    assert side.said() == [SaidData(b"last", one.id), Said(RESET, one.id, Lane.BULK)]
    for crossing in (HearData(b"x", one.id, True), Hear(Credit(7), one.id), Hear(RESET, one.id, Lane.BULK)):
        assert side.script.handle(crossing) == []


@pytest.mark.parametrize("kind", ["session", "stolen", "agent"])
def test_a_reset_by_the_other_side_drops_what_waits(kind: str) -> None:
    side, one = both(kind)
    side.end.two_ways.send(one, b"never sent")

    assert side.script.handle(Hear(RESET, one.id, Lane.BULK)) == [Failed(one.id, RESET)]
    assert (one.over, side.end.two_ways.room(one), side.end.two_ways.windows.total) == (True, 0, 0)


def test_a_close_resets_at_once() -> None:
    agent = Agent()
    one = agent.connect()
    agent.end.two_ways.send(one, b"never sent")

    assert agent.script.handle(Hear(Close(), one.id)) == [Closed(one.id)]
    assert one.over
    session = Session()
    stolen = session.subscribe()
    session.end.two_ways.send(stolen, b"never sent")
    session.end.close(stolen.id)
    assert session.said() == [Said(Close(), stolen.id)]


@pytest.mark.parametrize("kind", ["session", "stolen", "agent"])
def test_no_more_is_sent_than_was_granted(kind: str) -> None:
    side, one = both(kind)
    ways = side.end.two_ways
    assert ways.room(one) == 100
    ways.send(one, bytes(100))
    assert ways.room(one) == 0
    assert side.script.handle(Hear(Credit(10 << 20), one.id))[0] == CreditReceived(one.id)
    assert ways.room(one) == QUEUE
    ways.send(one, bytes(QUEUE))
    sizes = [len(said.data) for said in side.said() if isinstance(said, SaidData)]
    assert set(sizes) == {DATA_LIMIT}
    with pytest.raises(LocalProtocolError, match="credit"):
        ways.send(one, bytes(10 << 20))


@pytest.mark.parametrize("kind", ["session", "stolen", "agent"])
def test_no_more_comes_than_was_granted(kind: str) -> None:
    side, one = both(kind)
    granted = LEAST if kind == "stolen" else FIRST
    left = granted
    while left:
        size = min(left, DATA_LIMIT)
        side.script.handle(HearData(bytes(size), one.id))
        left -= size
    with pytest.raises(RemoteProtocolError, match="granted"):
        side.script.handle(HearData(b"x", one.id))


def test_too_much_credit() -> None:
    side, one = both("agent")
    side.script.handle(Hear(Credit(MOST_CREDIT - 100), one.id))
    with pytest.raises(RemoteProtocolError, match="credit"):
        side.script.handle(Hear(Credit(1), one.id))


# ---------------------------------------------------------------------------------------------- windows


def granted(session: Session, one: TwoWay, size: int, now: float) -> list[object]:
    """What is said when bytes come and are taken at once."""
    session.script.now = now
    while size:
        piece = min(size, DATA_LIMIT)
        session.script.handle(HearData(bytes(piece), one.id))
        session.end.two_ways.took(one, piece, now)
        size -= piece
    return session.said()


def test_more_is_granted_when_half_was_taken() -> None:
    session = Session()
    one = session.connect()
    session.script.handle(HearData(bytes(DATA_LIMIT), one.id))
    assert not session.end.two_ways.took(one, DATA_LIMIT, 9.0)
    session.script.handle(HearData(bytes(DATA_LIMIT), one.id))
    assert session.end.two_ways.took(one, DATA_LIMIT, 9.0)

    assert session.said() == [Said(Credit(FIRST // 2), one.id)]


def test_what_is_not_taken_is_not_granted_anew() -> None:
    session = Session()
    one = session.connect()
    for _ in range(4):
        assert session.script.handle(HearData(bytes(DATA_LIMIT), one.id)) == [
            DataReceived(one.id, bytes(DATA_LIMIT), False, False)
        ]


def test_a_window_grows_for_a_consumer_that_keeps_up() -> None:
    session = Session()
    one = session.connect()
    for _ in range(200):
        granted(session, one, FIRST, 0.0)

    assert one.window == MOST


def test_a_stolen_connection_gets_its_window_with_the_first_bytes_that_need_it() -> None:
    session = Session()
    one = session.subscribe()
    assert granted(session, one, 1000, 9.0) == []

    assert granted(session, one, LEAST // 2, 9.0) == [Said(Credit(FIRST - LEAST + 1000 + LEAST // 2), one.id)]


def test_nothing_is_granted_after_the_end() -> None:
    session = Session()
    one = session.connect()
    session.script.handle(HearData(bytes(DATA_LIMIT), one.id))
    session.script.handle(HearData(bytes(DATA_LIMIT), one.id, True))

    assert not session.end.two_ways.took(one, 2 * DATA_LIMIT, 9.0)


# ---------------------------------------------------------------------------------------------- subscriptions


def test_a_mirrored_connection_only_comes() -> None:
    session, agent = Session(), Agent()
    copy, original = session.subscribe(MIRROR), agent.subscribe(MIRROR)
    assert (session.end.two_ways.room(copy), original.came_end) == (0, True)
    agent.end.two_ways.send(original, b"x", end=True)
    assert agent.said() == [SaidData(b"x", FIRST_ID, True)]
    assert original.over
    assert session.script.handle(HearData(b"x", FIRST_ID, True)) == [DataReceived(FIRST_ID, b"x", True, True)]
    assert copy.over


def test_a_session_may_not_send_to_a_mirrored_connection() -> None:
    agent = Agent()
    agent.subscribe(MIRROR)
    with pytest.raises(RemoteProtocolError):
        agent.script.handle(HearData(b"x", FIRST_ID))


def test_a_connection_crosses_the_close_of_its_subscription() -> None:
    session = Session()
    id_ = session.ask(STEAL, Subscribed())
    session.end.close(id_)

    assert session.said() == [Said(Close(), id_)]
    assert session.script.handle(Hear(INCOMING, FIRST_ID)) == [Said(UNSUBSCRIBED, FIRST_ID)]
    assert session.script.handle(HearData(b"x", FIRST_ID)) == []
    assert session.script.handle(Hear(RESET, FIRST_ID, Lane.BULK)) == []


def test_connections_live_on_without_their_subscription() -> None:
    session, agent = Session(), Agent()
    stolen, original = session.subscribe(), agent.subscribe()
    session.end.close(1)
    assert agent.script.handle(Hear(Close(), 1)) == [Closed(1)]
    session.end.two_ways.send(stolen, b"x")

    assert session.said() == [Said(Close(), 1), SaidData(b"x", FIRST_ID)]
    assert agent.script.handle(HearData(b"x", FIRST_ID)) == [DataReceived(FIRST_ID, b"x", False, False)]
    assert not original.over


@pytest.mark.parametrize(
    ("id_", "incoming"),
    [
        (1, INCOMING),  # an id of the session's
        (BY_AGENT, INCOMING),
        (BY_AGENT | 2, Incoming(7, ADDRESS, ADDRESS, 1)),  # a subscription that never was
        (BY_AGENT | 2, Incoming(2, ADDRESS, ADDRESS, 1)),  # a request that isn't one
        (BY_AGENT | 2, Incoming(3, ADDRESS, ADDRESS, 1)),  # one that isn't answered
        (BY_AGENT | 2, Incoming(FIRST_ID, ADDRESS, ADDRESS, 1)),
        (FIRST_ID, INCOMING),  # a second time
    ],
)
def test_connections_that_cannot_have_come(id_: int, incoming: Incoming) -> None:
    session = Session()
    session.subscribe()
    session.end.ask(Query(b"x"))
    session.end.ask(STEAL)
    with pytest.raises(RemoteProtocolError):
        session.script.handle(Hear(incoming, id_))


def test_too_many_connections() -> None:
    session, agent = Session(), Agent()
    session.subscribe()
    agent.subscribe()
    for number in range(2, MOST_IDS + 1):
        session.script.handle(Hear(INCOMING, BY_AGENT | number))
        agent.end.incoming(1, ADDRESS, ADDRESS)
    last = BY_AGENT | MOST_IDS + 1

    assert session.script.handle(Hear(INCOMING, last)) == [Said(TOO_MANY, last)]
    agent.said()
    agent.asked(2, Connect(ADDRESS, 5))
    with pytest.raises(OSError, match="Too many"):
        agent.end.incoming(1, ADDRESS, ADDRESS)
    with pytest.raises(OSError, match="Too many"):
        agent.end.connect(2, ADDRESS, ADDRESS)
    assert agent.end.alive(2)
    assert session.end.two_ways.windows.total <= 64 << 20


# ---------------------------------------------------------------------------------------------- datagrams


def test_datagrams() -> None:
    agent = Agent()
    one = agent.connect(Datagrams(NOWHERE, credit=100))
    agent.end.two_ways.send(one, DATAGRAM)

    assert agent.said() == [SaidData(DATAGRAM, 1)]
    assert agent.script.handle(HearData(DATAGRAM, 1)) == [DataReceived(1, DATAGRAM, False, False)]
    assert agent.script.handle(Hear(Close(), 1)) == [Closed(1)]


@pytest.mark.parametrize(
    ("data", "end"), [(DATAGRAM[:23], False), (b"", False), (DATAGRAM, True), (b"\x05" + DATAGRAM[1:], False)]
)
def test_what_is_no_datagram(data: bytes, end: bool) -> None:
    session = Session()
    id_ = session.ask(Datagrams(), CONNECTED)
    with pytest.raises(RemoteProtocolError):
        session.script.handle(HearData(data, id_, end))


# ---------------------------------------------------------------------------------------------- liars


@pytest.mark.parametrize("id_", [0, 2, FIRST_ID, 1 << 62, (1 << 64) - 1])
@pytest.mark.parametrize("late", [HearData(b"x", 0), Hear(Credit(1)), Hear(RESET, lane=Lane.BULK)])
def test_ids_that_never_were(id_: int, late: Hear | HearData) -> None:
    for side in (Session(), Agent()):
        if isinstance(side, Session):
            side.connect()
        else:
            side.connect()
        event = HearData(late.data, id_) if isinstance(late, HearData) else Hear(late.message, id_, late.lane)
        with pytest.raises(RemoteProtocolError):
            side.script.handle(event)


def test_a_session_says_nothing_of_requests_but_close() -> None:
    for event in (HearData(b"x", 1), Hear(RESET, 1, Lane.BULK)):
        agent = Agent()
        agent.asked(1, Connect(ADDRESS, 5))
        with pytest.raises(RemoteProtocolError):
            agent.script.handle(event)


def test_an_agent_grants_nothing_before_its_answer() -> None:
    session = Session()
    id_ = session.end.ask(Connect(ADDRESS))
    with pytest.raises(RemoteProtocolError):
        session.script.handle(Hear(Credit(5), id_))


@pytest.mark.parametrize("id_", [BY_AGENT, FIRST_ID])
def test_a_session_chooses_no_ids_of_the_agents(id_: int) -> None:
    with pytest.raises(RemoteProtocolError):
        Agent().script.handle(Hear(Query(b""), id_))


def test_nothing_is_sent_when_the_connection_is_over() -> None:
    session = Session()
    one = session.connect()
    session.end.fall()
    session.end.two_ways.fail(one, RESET)

    assert session.said() == []
