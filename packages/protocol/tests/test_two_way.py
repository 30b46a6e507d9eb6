"""Ids that carry data both ways, on both ends: answers, credit, half-closes, bad ends, and what a liar may not say."""

from __future__ import annotations

import pytest

from mirrord_protocol.actions import Answered, Closed, CreditReceived, DataReceived, Failed
from mirrord_protocol.agent_end import LEFT
from mirrord_protocol.failure import LocalProtocolError, RemoteProtocolError
from mirrord_protocol.framing import DATA_LIMIT, Lane
from mirrord_protocol.lanes import QUEUE
from mirrord_protocol.network_values import (
    Connect,
    Connected,
    Datagrams,
    Query,
    Records,
    Subscribed,
)
from mirrord_protocol.testing import Hear, HearData, Said, SaidData
from mirrord_protocol.two_way import MOST_CREDIT, TwoWay
from mirrord_protocol.values import Answer, Close, Credit
from mirrord_protocol.windows import FIRST, LEAST, MOST
from protocol_samples import ADDRESS, FAILURE, UNIX
from protocol_sides import CONNECTED, FIRST_ID, RESET, STEAL, Agent, Session, way

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
