"""The answering end: answers and streams within their credit, closing, and what a lying session may not say."""

from __future__ import annotations

from typing import Any

import pytest

from mirrord_protocol.actions import Asked, Closed, CreditReceived, Greeted
from mirrord_protocol.agent_end import AgentEnd
from mirrord_protocol.failure import LocalProtocolError, RemoteProtocolError
from mirrord_protocol.framing import DATA_LIMIT, Lane
from mirrord_protocol.ids import FIRST_REQUESTS
from mirrord_protocol.lanes import QUEUE
from mirrord_protocol.testing import Do, EndScript, Hear, HearData, Playbook, Said, SaidData
from mirrord_protocol.testing.ends import EndAction, EndEvent
from mirrord_protocol.values import (
    Answer,
    Changed,
    Close,
    Credit,
    Form,
    Hello,
    ListDirectory,
    Listed,
    Open,
    Opened,
    Read,
    Request,
    StatPath,
    Welcome,
)
from protocol_samples import FAILURE, STAT, TARGET, TOKEN

Script = Playbook[EndEvent, EndAction]
HELLO = Hello(TOKEN)
WELCOME = Welcome(target=TARGET, requests=20)
STAT_PATH = StatPath(b"/")
OPEN = Open(b"/", content=100, head=10)
LISTED = Listed(STAT, watched=True)


def opened(form: Form, *, complete: bool = False) -> Opened:
    return Opened(STAT, form, complete)


def begin() -> tuple[AgentEnd, Script]:
    end = AgentEnd(0.0)
    script: Script = Playbook(EndScript(end).handle)
    script.tell(Hear(HELLO)).expect(Greeted(HELLO)).tell(Do("accept", (WELCOME,))).expect(Said(WELCOME))
    return end, script


def ask(script: Script, id_: int, request: Request) -> Script:
    return script.tell(Hear(request, id_)).expect(Asked(id_, request))


def answer(script: Script, id_: int, value: Answer) -> Script:
    return script.tell(Do("answer", (id_, value))).expect(Said(value, id_))


def send(script: Script, id_: int, data: bytes, *, end: bool = False) -> Script:
    return script.tell(Do("send", (id_, data), {"end": end})).expect(SaidData(data, id_, end))


def test_an_answer() -> None:
    end, script = begin()
    answer(ask(script, 1, STAT_PATH), 1, STAT).run()

    assert end.unanswered == 0
    assert not end.alive(1)


def test_a_failure() -> None:
    end, script = begin()
    ask(script, 1, OPEN).tell(Do("fail", (1, FAILURE))).expect(Said(FAILURE, 1)).tell(Do("fail", (1, FAILURE))).run()

    assert end.unanswered == 0


def test_content() -> None:
    end, script = begin()
    answer(ask(script, 3, OPEN), 3, opened(Form.WHOLE, complete=True))
    send(script, 3, b"x" * 100)
    send(script, 3, b"", end=True).run()

    assert not end.alive(3)


def test_a_handle_lives_until_it_is_closed() -> None:
    end, script = begin()
    answer(ask(script, 1, OPEN), 1, opened(Form.LARGE))
    send(script, 1, b"x" * 10, end=True).run()
    assert end.alive(1)
    assert not end.streaming(1)
    Playbook(EndScript.handle.__get__(_continue(end, 2))).tell(Hear(Close(), 1)).expect(Closed(1)).run()

    assert not end.alive(1)


def _continue(end: AgentEnd, heard: int) -> EndScript:
    """A script for an end that has heard so many frames already."""
    script = EndScript(end)
    script._number = heard
    return script


def test_a_read_is_answered_by_its_data() -> None:
    end, script = begin()
    ask(script, 1, Read(9, 0, 8)).run()
    assert (end.streaming(1), end.room(1), end.unanswered) == (True, 8, 1)
    end.send(1, b"12345")
    assert (end.room(1), end.unanswered) == (3, 0)
    end.send(1, b"", end=True)

    assert (end.alive(1), end.room(1)) == (False, 0)


def test_credit_before_a_read_has_begun_is_not_lost() -> None:
    end, script = begin()
    ask(script, 1, Read(9, 0, 8)).tell(Hear(Credit(2), 1)).expect(CreditReceived(1)).run()

    assert end.room(1) == 10


def test_a_failure_after_data_goes_behind_it() -> None:
    _, script = begin()
    send(ask(script, 1, Read(9, 0, 8)), 1, b"123")
    script.tell(Do("fail", (1, FAILURE))).expect(Said(FAILURE, 1, Lane.BULK)).run()


def test_data_is_split_into_frames() -> None:
    end, script = begin()
    ask(script, 1, Read(9, 0, 1 << 20)).run()
    end.send(1, bytes(2 * DATA_LIMIT + 1))
    said = _continue(end, 0)._said()

    assert [len(action.data) for action in said if isinstance(action, SaidData)] == [DATA_LIMIT, DATA_LIMIT, 1]
    end.send(1, bytes(DATA_LIMIT), end=True)
    assert [(len(action.data), action.end) for action in _later(end)] == [(DATA_LIMIT, True)]


def _later(end: AgentEnd) -> list[SaidData]:
    return [action for action in EndScript(end)._said() if isinstance(action, SaidData)]


def test_room_is_the_credit_and_the_queue() -> None:
    end, script = begin()
    ask(script, 1, Read(9, 0, 10 << 20)).run()
    assert end.room(1) == QUEUE
    end.send(1, bytes(QUEUE))
    assert end.room(1) == 0
    assert len(_later(end)) == QUEUE // DATA_LIMIT
    assert end.room(1) == QUEUE


def test_what_is_said_of_a_closed_id_is_dropped() -> None:
    end, script = begin()
    ask(script, 1, OPEN).tell(Hear(Close(), 1)).expect(Closed(1))
    for name, arguments in (
        ("answer", (1, opened(Form.LARGE))),
        ("send", (1, b"x")),
        ("fail", (1, FAILURE)),
        ("changed", (1,)),
    ):
        script.tell(Do(name, arguments)).expect()
    script.tell(Hear(Close(), 1)).expect().tell(Hear(Credit(5), 1)).expect().run()

    assert end.unanswered == 0


def test_closing_drops_what_waits_to_be_sent() -> None:
    end, script = begin()
    ask(script, 1, Read(9, 0, 100)).run()
    end.send(1, b"x" * 50)

    assert _continue(end, 2).handle(Hear(Close(), 1)) == [Closed(1)]


def test_a_change_is_told_once() -> None:
    end, script = begin()
    answer(ask(script, 1, ListDirectory(b"/", watch=True, credit=9)), 1, LISTED)
    send(script, 1, b"123456789", end=True).run()
    assert end.alive(1)
    end.changed(1)
    end.changed(1)

    assert _continue(end, 2)._said() == [Said(Changed(), 1)]
    assert not end.alive(1)


def test_a_change_before_the_listings_end() -> None:
    end, script = begin()
    answer(ask(script, 1, ListDirectory(b"/", watch=True, credit=9)), 1, LISTED)
    script.tell(Do("changed", (1,))).expect(Said(Changed(), 1))
    send(script, 1, b"12", end=True).run()

    assert not end.alive(1)


@pytest.mark.parametrize(
    ("request_", "calls"),
    [
        (OPEN, [("answer", (1, STAT))]),
        (OPEN, [("send", (1, b""))]),
        (OPEN, [("answer", (1, opened(Form.WHOLE))), ("answer", (1, opened(Form.WHOLE)))]),
        (OPEN, [("answer", (1, opened(Form.WHOLE))), ("send", (1, bytes(101)))]),
        (OPEN, [("answer", (1, opened(Form.REQUEST))), ("send", (1, b""))]),
        (OPEN, [("answer", (1, opened(Form.REQUEST))), ("fail", (1, FAILURE))]),
        (Read(9, 0, 5), [("answer", (1, STAT))]),
        (Read(9, 0, 5), [("send", (1, b"123456"))]),
    ],
)
def test_defects_of_the_service(request_: Request, calls: list[tuple[str, Any]]) -> None:
    end, script = begin()
    ask(script, 1, request_).run()
    for name, arguments in calls[:-1]:
        getattr(end, name)(*arguments)
    with pytest.raises(LocalProtocolError):
        getattr(end, calls[-1][0])(*calls[-1][1])


@pytest.mark.parametrize(
    "lies",
    [
        [Hear(STAT_PATH, 0)],
        [Hear(STAT_PATH, 2), Hear(STAT_PATH, 2)],
        [Hear(STAT_PATH, 2), Hear(STAT_PATH, 1)],
        [Hear(Close(), 1)],
        [Hear(Credit(1), 1)],
        [Hear(Close(), 0)],
        [Hear(OPEN, 1), Hear(Credit((1 << 64) - 1), 1)],
        [Hear(HELLO)],
        [Hear(WELCOME)],
        [Hear(STAT, 1)],
        [HearData(b"", 1)],
        [Hear(STAT_PATH, id_) for id_ in range(1, 22)],
    ],
    ids=str,
)
def test_lies(lies: list[EndEvent]) -> None:
    end, script = begin()
    script.run()
    handler = _continue(end, 1)
    for event in lies[:-1]:
        handler.handle(event)
    with pytest.raises(RemoteProtocolError):
        handler.handle(lies[-1])


def test_some_requests_are_always_taken() -> None:
    """A session may send these before it knows how many are allowed."""
    end = AgentEnd(0.0)
    handler = EndScript(end)
    handler.handle(Hear(HELLO))
    for id_ in range(1, FIRST_REQUESTS + 1):
        assert handler.handle(Hear(STAT_PATH, id_)) == []

    assert len(end.accept(Welcome(target=TARGET, requests=1))) == FIRST_REQUESTS
