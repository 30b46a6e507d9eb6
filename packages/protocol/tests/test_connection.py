"""What both ends share: who may say what when, numbers, acknowledgements, silence."""

from __future__ import annotations

import itertools

import pytest

from mirrord_protocol.actions import Greeted, Over, Welcomed
from mirrord_protocol.agent_end import AgentEnd
from mirrord_protocol.connection import ACK_DELAY, ACK_FRAMES, FIRST_LEASE, NEXT, Connection, Role, State
from mirrord_protocol.failure import LocalProtocolError, RemoteProtocolError
from mirrord_protocol.framing import Frame, FrameReader, Kind, Lane, encode_frame
from mirrord_protocol.messages import decode_message, encode_message
from mirrord_protocol.network_values import Query, Records
from mirrord_protocol.session_end import SessionEnd
from mirrord_protocol.testing import At, Do, EndScript, Hear, HearData, Playbook, Said
from mirrord_protocol.testing.ends import EndAction, EndEvent
from mirrord_protocol.values import (
    Ack,
    Failure,
    FailureKind,
    Goodbye,
    Hello,
    Message,
    Ping,
    Pong,
    Refused,
    StatPath,
    Welcome,
)
from protocol_samples import GONE, MESSAGES, TARGET, TOKEN

HELLO = Hello(TOKEN)
WELCOME = Welcome(target=TARGET, lease=9000)


def script(end: Connection) -> Playbook[EndEvent, EndAction]:
    return Playbook(EndScript(end).handle)


def session() -> Playbook[EndEvent, EndAction]:
    """A session that was welcomed, with a lease of 9 s."""
    return (
        script(SessionEnd(0.0))
        .tell(Do("say_hello", (HELLO,)))
        .expect(Said(HELLO))
        .tell(Hear(WELCOME))
        .expect(Welcomed(WELCOME))
    )


def agent() -> Playbook[EndEvent, EndAction]:
    """An agent that welcomed its session, with a lease of 9 s."""
    return (
        script(AgentEnd(0.0))
        .tell(Hear(HELLO))
        .expect(Greeted(HELLO))
        .tell(Do("accept", (WELCOME,)))
        .expect(Said(WELCOME))
    )


def frame(number: int, message: Message, acknowledged: int = 0, id_: int = 0) -> bytes:
    return b"".join(encode_frame(Frame(Kind.MESSAGE, Lane.CONTROL, number, acknowledged, id_, encode_message(message))))


def said(pieces: list[bytes | memoryview]) -> list[Message]:
    return [decode_message(frame.payload) for frame in FrameReader().feed(b"".join(pieces))]


def open_agent() -> AgentEnd:
    end = AgentEnd(0.0)
    end.receive(frame(1, HELLO), 0.0)
    end.accept(WELCOME)
    end.pull(0.0)
    return end


# ---------------------------------------------------------------------------------------------- states


@pytest.mark.parametrize(
    ("state", "name"), list(itertools.product([State.START, State.HELLO, State.OPEN], MESSAGES)), ids=str
)
def test_what_is_not_in_the_table_breaks_the_protocol(state: State, name: str) -> None:
    """The table is the documentation: each message in each state, heard by the end that is not to say it."""
    message = MESSAGES[name]
    for end, peer in ((SessionEnd(0.0), Role.AGENT), (AgentEnd(0.0), Role.SESSION)):
        end.state = state
        if (state, peer, type(message)) in NEXT or (state == State.HELLO and peer == Role.SESSION):
            continue
        with pytest.raises(RemoteProtocolError):
            EndScript(end).handle(Hear(message, 1))
        with pytest.raises(LocalProtocolError):
            end._after(peer, message, LocalProtocolError)


def test_a_session_begins() -> None:
    session().run()


def test_an_agent_begins() -> None:
    agent().run()


def test_nothing_behind_hello_is_looked_at_before_the_token_was_checked() -> None:
    """Not even a broken message is."""
    end = AgentEnd(0.0)
    broken = b"".join(encode_frame(Frame(Kind.MESSAGE, Lane.CONTROL, 2, 0, 1, b"\xff" * 16)))

    assert end.receive(frame(1, HELLO) + broken, 0.0) == [Greeted(HELLO)]
    assert end.receive(frame(3, Ping(1)), 0.0) == []
    with pytest.raises(RemoteProtocolError):
        end.accept(WELCOME)


def test_a_refusal_ends_it() -> None:
    failure = Failure(FailureKind.FORBIDDEN, None, "no")
    end = AgentEnd(0.0)
    (
        script(end)
        .tell(Hear(HELLO))
        .expect(Greeted(HELLO))
        .tell(Do("refuse", (failure,)))
        .expect(Said(Refused(failure)))
        .tell(Hear(Ping(3)))
        .expect()
        .run()
    )

    assert end.over


def test_goodbye_is_the_last_word_of_either_side() -> None:
    for begin in (session, agent):
        begin().tell(Hear(Goodbye(GONE))).expect(Over(GONE)).tell(Hear(Ping(1))).expect().run()
        begin().tell(Do("say_goodbye", (GONE,))).expect(Said(Goodbye(GONE))).tell(Do("say_goodbye", (GONE,))).run()


def test_goodbye_forgets_what_waits() -> None:
    end = SessionEnd(0.0)
    end.say_hello(HELLO)
    end.say_goodbye(GONE)

    assert EndScript(end).handle(At(0.0)) == [Said(Goodbye(GONE))]


def test_a_broken_connection_says_nothing_more() -> None:
    end = open_agent()
    end.receive(frame(2, Ping(1)), 0.0)
    end.fall()

    assert end.pull(10.0) == []
    assert not end.wants_to_send(10.0)


def test_the_end_of_the_stream() -> None:
    end = open_agent()
    assert end.receive(b"", 1.0) == [Over(Failure(FailureKind.GONE, None, "the connection was closed"))]
    assert end.receive(b"", 1.0) == []
    end = open_agent()
    end.receive(frame(2, Ping(1))[:40], 1.0)
    (over,) = end.receive(b"", 1.0)
    assert isinstance(over, Over)
    assert "middle" in over.failure.text


# ---------------------------------------------------------------------------------------------- numbers


@pytest.mark.parametrize("number", [0, 1, 3, 2**64 - 1])
def test_a_wrong_number(number: int) -> None:
    with pytest.raises(RemoteProtocolError, match="frame"):
        open_agent().receive(frame(number, Ping(1)), 0.0)


@pytest.mark.parametrize("acknowledged", [2, 2**64 - 1])
def test_an_acknowledgement_of_what_was_never_sent(acknowledged: int) -> None:
    with pytest.raises(RemoteProtocolError, match="acknowledged"):
        open_agent().receive(frame(2, Ping(1), acknowledged), 0.0)


def test_an_acknowledgement_taken_back() -> None:
    end = open_agent()
    end.receive(frame(2, Ping(1), 1), 0.0)
    with pytest.raises(RemoteProtocolError, match="acknowledged"):
        end.receive(frame(3, Ping(1), 0), 0.0)


def test_a_message_in_the_wrong_lane() -> None:
    with pytest.raises(RemoteProtocolError, match="bulk lane"):
        agent().tell(Hear(StatPath(b"/"), 1, Lane.BULK)).run()
    with pytest.raises(RemoteProtocolError, match="never used"):
        agent().tell(HearData(b"x", 1)).run()


def test_a_message_too_large_to_send_changes_nothing() -> None:
    end = AgentEnd(0.0)
    end.receive(frame(1, HELLO), 0.0)
    huge = Welcome(target=TARGET, environment=((b"X", bytes(1 << 20)),))
    with pytest.raises(LocalProtocolError):
        end.accept(huge)

    assert end.state == State.HELLO
    end.refuse(GONE)


# ---------------------------------------------------------------------------------------------- acknowledgements


def hear(end: Connection, count: int, begin: int = 2) -> None:
    for number in range(begin, begin + count):
        end.receive(frame(number, Pong(number)), 0.0)


def test_a_silent_side_acknowledges_after_a_while() -> None:
    end = open_agent()
    hear(end, 1)

    assert not end.wants_to_send(0.0)
    assert end.pull(ACK_DELAY / 2) == []
    assert end.ack_at == ACK_DELAY
    assert end.wants_to_send(ACK_DELAY)
    assert said(end.pull(ACK_DELAY)) == [Ack()]
    assert end.ack_at is None


def test_a_silent_side_acknowledges_after_many_frames() -> None:
    end = open_agent()
    hear(end, ACK_FRAMES - 1)
    assert end.pull(0.0) == []
    hear(end, 1, 2 + ACK_FRAMES - 1)

    assert said(end.pull(0.0)) == [Ack()]


def test_a_silent_side_acknowledges_after_many_bytes() -> None:
    end = SessionEnd(0.0)
    end.say_hello(HELLO)
    end.pull(0.0)
    end.receive(frame(1, Welcome(target=TARGET, environment=((b"X", bytes(63 << 10)),)), 1), 0.0)
    for _ in range(4):
        end.ask(StatPath(b"/"))
    assert len(said(end.pull(0.0))) == 4
    failure = encode_message(Failure(FailureKind.LIMIT, None, "x" * 30_000))
    for number in range(2, 4):
        end.receive(b"".join(encode_frame(Frame(Kind.MESSAGE, Lane.CONTROL, number, 1, number - 1, failure))), 0.0)
        assert end.pull(0.0) == []
    end.receive(b"".join(encode_frame(Frame(Kind.MESSAGE, Lane.CONTROL, 4, 1, 3, failure))), 0.0)

    assert said(end.pull(0.0)) == [Ack()]


def test_whatever_is_sent_acknowledges() -> None:
    end = open_agent()
    hear(end, 3)
    end.receive(frame(5, Ping(9)), 0.0)
    pieces = end.pull(0.0)

    assert said(pieces) == [Pong(9)]
    assert end.ack_at is None
    assert int.from_bytes(bytes(pieces[0])[16:24], "little") == 5


def test_nothing_is_acknowledged_before_the_welcome() -> None:
    """The session wouldn't expect it, and the token wasn't checked."""
    end = AgentEnd(0.0)
    end.receive(frame(1, HELLO), 0.0)
    hear(end, 2 * ACK_FRAMES)

    assert (end.pull(1.0), end.ack_at, end.wants_to_send(1.0)) == ([], None, False)


def test_acknowledgements_are_not_acknowledged() -> None:
    end = open_agent()
    for number in range(2, 100):
        end.receive(frame(number, MESSAGES["ack"], 1), 0.0)

    assert end.ack_at is None
    assert end.pull(100.0) == []


# ---------------------------------------------------------------------------------------------- silence


def test_a_ping_is_answered_by_its_number() -> None:
    for begin in (session, agent):
        begin().tell(Hear(Ping(77))).expect(Said(Pong(77))).tell(Hear(Pong(1))).expect().run()


def test_pings_that_wait_are_answered_once() -> None:
    """A peer that pings and never reads can't make us keep anything."""
    end = open_agent()
    for number in range(2, 1000):
        end.receive(frame(number, Ping(number)), 0.0)

    assert said(end.pull(0.0)) == [Pong(999)]
    assert end.pull(0.0) == []


def test_who_asks_and_reads_nothing_does_not_fill_the_memory() -> None:
    end = AgentEnd(0.0)
    end.receive(frame(1, HELLO), 0.0)
    end.accept(WELCOME)
    answer = Records(bytes(60000))

    with pytest.raises(RemoteProtocolError, match="reads nothing"):
        for number in range(2, 2000):
            end.receive(frame(number, Query(b""), id_=number), 0.0)
            end.answer(number, answer)
    end.say_goodbye(GONE)
    assert said(end.pull(0.0)) == [Goodbye(GONE)]


def test_a_session_pings_each_third_of_the_lease() -> None:
    (
        session()
        .tell(At(2.9))
        .expect()
        .tell(At(3.0))
        .expect(Said(Ping(1)))
        .tell(Hear(Pong(1)))
        .tell(At(5.9))
        .expect()
        .tell(At(6.1))
        .expect(Said(Ping(2)))
        .run()
    )


def test_silence_for_a_lease_ends_it() -> None:
    text = "nothing was heard from the {} for 9.5 s"
    agent().tell(At(8.9)).expect().tell(At(9.5)).expect(
        Over(Failure(FailureKind.GONE, None, text.format("session")))
    ).tell(At(50)).expect().run()
    session().tell(At(3)).expect(Said(Ping(1))).tell(At(6)).expect(Said(Ping(2))).tell(At(8.9)).tell(At(9.5)).expect(
        Over(Failure(FailureKind.GONE, None, text.format("agent")))
    ).run()


def test_a_process_that_slept_itself_gives_the_other_one_more_chance() -> None:
    gone = Over(Failure(FailureKind.GONE, None, "nothing was heard from the session for 9.0 s"))
    agent().tell(At(1000)).expect().tell(Hear(Ping(1))).expect(Said(Pong(1))).tell(At(1008.9)).expect().tell(
        At(1009)
    ).expect(gone).run()
    gone = Over(Failure(FailureKind.GONE, None, "nothing was heard from the session for 9.5 s"))
    agent().tell(At(1000)).expect().tell(At(1005)).expect(gone).run()


def test_deadlines() -> None:
    end = AgentEnd(5.0)
    assert end.deadline == 5.0 + FIRST_LEASE
    end.receive(frame(1, HELLO), 6.0)
    end.accept(WELCOME)
    assert end.deadline == 15.0
    asking = SessionEnd(5.0)
    asking.say_hello(HELLO)
    assert asking.deadline == 5.0 + FIRST_LEASE
    asking.pull(5.0)
    asking.receive(frame(1, WELCOME, 1), 6.0)
    assert asking.deadline == 5.0 + 3.0


def test_a_welcome_without_credit_or_lease_is_none() -> None:
    for wrong in (Welcome(target=TARGET, lease=0), Welcome(target=TARGET, requests=0)):
        with pytest.raises(RemoteProtocolError):
            script(SessionEnd(0.0)).tell(Do("say_hello", (HELLO,))).expect(Said(HELLO)).tell(Hear(wrong)).run()
