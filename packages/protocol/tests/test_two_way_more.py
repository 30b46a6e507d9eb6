"""Subscriptions and datagrams on both ends, and what a liar may not say of ids that carry data both ways."""

from __future__ import annotations

import pytest

from mirrord_protocol.actions import Closed, DataReceived
from mirrord_protocol.failure import RemoteProtocolError
from mirrord_protocol.framing import Lane
from mirrord_protocol.network_values import (
    NOWHERE,
    Connect,
    Datagrams,
    Incoming,
    Query,
    Subscribed,
)
from mirrord_protocol.session_end import TOO_MANY, UNSUBSCRIBED
from mirrord_protocol.testing import Hear, HearData, Said, SaidData
from mirrord_protocol.two_way import BY_AGENT
from mirrord_protocol.values import Close, Credit
from mirrord_protocol.windows import MOST_IDS
from protocol_samples import ADDRESS
from protocol_sides import CONNECTED, DATAGRAM, FIRST_ID, INCOMING, MIRROR, RESET, STEAL, Agent, Session

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
