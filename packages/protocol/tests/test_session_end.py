"""The asking end: ids, answers, credit for requests and streams, and what a lying agent may not say."""

from __future__ import annotations

from typing import Any

import pytest

from mirrord_protocol.actions import Answered, ChangedReceived, DataReceived, Over, Welcomed
from mirrord_protocol.failure import LocalProtocolError, RemoteProtocolError
from mirrord_protocol.framing import Lane
from mirrord_protocol.ids import FIRST_REQUESTS
from mirrord_protocol.session_end import FIRST_WINDOW, SessionEnd
from mirrord_protocol.testing import Do, EndScript, Hear, HearData, Playbook, Said
from mirrord_protocol.testing.ends import EndAction, EndEvent
from mirrord_protocol.values import (
    Changed,
    Close,
    Credit,
    Form,
    Hello,
    ListDirectory,
    Listed,
    Message,
    Open,
    Opened,
    Read,
    ReadLink,
    Refused,
    Request,
    StatPath,
    Welcome,
)
from protocol_samples import FAILURE, STAT, TARGET, TOKEN

Script = Playbook[EndEvent, EndAction]
HELLO = Hello(TOKEN)
STAT_PATH = StatPath(b"/")
OPEN = Open(b"/", content=100, head=10)
LISTED = Listed(STAT, watched=True)


def begin(requests: int = 100) -> tuple[SessionEnd, Script]:
    end = SessionEnd(0.0)
    welcome = Welcome(target=TARGET, requests=requests)
    script: Script = Playbook(EndScript(end).handle)
    script.tell(Do("say_hello", (HELLO,))).expect(Said(HELLO)).tell(Hear(welcome)).expect(Welcomed(welcome))
    return end, script


def ask(script: Script, id_: int, request: Request) -> Script:
    return script.tell(Do("ask", (request,))).expect(Said(request, id_))


def test_an_answer() -> None:
    end, script = begin()
    ask(script, 1, STAT_PATH).tell(Hear(STAT, 1)).expect(Answered(1, STAT, last=True)).run()

    assert (end.asked, end.unanswered) == (1, 0)


def test_requests_may_follow_hello_at_once() -> None:
    end = SessionEnd(0.0)
    script: Script = Playbook(EndScript(end).handle)
    script.tell(Do("say_hello", (HELLO,))).expect(Said(HELLO))
    ask(script, 1, OPEN)
    ask(script, 2, Read(1, 0, 5)).run()
    for _ in range(FIRST_REQUESTS):
        end.ask(STAT_PATH)

    assert end.unanswered == FIRST_REQUESTS


def test_nothing_may_be_asked_before_hello_or_after_the_end() -> None:
    end = SessionEnd(0.0)
    with pytest.raises(LocalProtocolError):
        end.ask(STAT_PATH)
    end.receive(b"", 0.0)
    with pytest.raises(LocalProtocolError):
        end.ask(STAT_PATH)
    end.close(1)


def test_a_failure_is_an_answer() -> None:
    _, script = begin()
    ask(script, 1, OPEN).tell(Hear(FAILURE, 1)).expect(Answered(1, FAILURE, last=True)).run()


def test_a_refusal() -> None:
    script: Script = Playbook(EndScript(SessionEnd(0.0)).handle)
    script.tell(Do("say_hello", (HELLO,))).expect(Said(HELLO)).tell(Hear(Refused(FAILURE))).expect(
        Over(FAILURE, refused=True)
    ).run()


def test_requests_beyond_the_credit_are_held_back_in_order() -> None:
    end, script = begin(requests=2)
    ask(script, 1, STAT_PATH)
    ask(script, 2, OPEN)
    script.tell(Do("ask", (ReadLink(b"/a"),))).expect().tell(Do("ask", (ReadLink(b"/b"),))).expect()
    script.tell(Hear(STAT, 1)).expect(Answered(1, STAT, last=True), Said(ReadLink(b"/a"), 3))
    script.tell(Do("close", (2,))).expect(Said(Close(), 2), Said(ReadLink(b"/b"), 4)).run()

    assert end.unanswered == 2


def test_what_is_closed_while_held_back_is_never_sent() -> None:
    end, script = begin(requests=1)
    ask(script, 1, STAT_PATH)
    script.tell(Do("ask", (ReadLink(b"/a"),))).tell(Do("ask", (ReadLink(b"/b"),))).tell(Do("close", (2,))).expect()
    script.tell(Hear(STAT, 1)).expect(Answered(1, STAT, last=True), Said(ReadLink(b"/b"), 3)).run()

    assert end.asked == 3


def test_a_handle_is_closed_behind_its_reads_that_are_held_back() -> None:
    _, script = begin(requests=1)
    form = Opened(STAT, Form.REQUEST, complete=False)
    ask(script, 1, OPEN).tell(Hear(form, 1)).expect(Answered(1, form, last=False))
    ask(script, 2, STAT_PATH).tell(Do("ask", (Read(1, 0, 5),))).expect().tell(Do("ask", (STAT_PATH,))).expect()
    script.tell(Do("close", (1,))).expect()
    script.tell(Hear(STAT, 2)).expect(Answered(2, STAT, last=True), Said(Read(1, 0, 5), 3))
    script.tell(HearData(b"", 3, end=True)).expect(
        DataReceived(3, b"", end=True, last=True), Said(STAT_PATH, 4), Said(Close(), 1)
    )
    script.run()


def test_content_follows_its_answer() -> None:
    _, script = begin()
    opened = Opened(STAT, Form.WHOLE, complete=True)
    ask(script, 1, OPEN).tell(Hear(opened, 1)).expect(Answered(1, opened, last=False))
    script.tell(HearData(b"x" * 60, 1)).expect(DataReceived(1, b"x" * 60, end=False, last=False))
    script.tell(HearData(b"y" * 40, 1, end=True)).expect(DataReceived(1, b"y" * 40, end=True, last=True)).run()


def test_a_handle_lives_on_after_its_head() -> None:
    _, script = begin()
    opened = Opened(STAT, Form.LARGE, complete=False)
    ask(script, 1, OPEN).tell(Hear(opened, 1)).expect(Answered(1, opened, last=False))
    script.tell(HearData(b"x" * 10, 1, end=True)).expect(DataReceived(1, b"x" * 10, end=True, last=False))
    ask(script, 2, Read(1, 10, 5)).tell(HearData(b"12", 2)).expect(DataReceived(2, b"12", end=False, last=False))
    script.tell(HearData(b"345", 2, end=True)).expect(DataReceived(2, b"345", end=True, last=True))
    script.tell(Do("close", (1,))).expect(Said(Close(), 1)).tell(Do("close", (1,))).expect().run()


def test_a_streams_bad_end() -> None:
    _, script = begin()
    ask(script, 1, Read(1, 0, 9)).tell(HearData(b"x", 1)).expect(DataReceived(1, b"x", end=False, last=False))
    script.tell(Hear(FAILURE, 1, Lane.BULK)).expect(Answered(1, FAILURE, last=True)).run()


def test_what_is_under_way_for_a_closed_id_is_dropped() -> None:
    end, script = begin()
    ask(script, 1, OPEN).tell(Do("close", (1,))).expect(Said(Close(), 1))
    for late in (Opened(STAT, Form.LARGE, complete=False), FAILURE, Changed()):
        script.tell(Hear(late, 1)).expect()
    script.tell(HearData(b"x" * 1000, 1)).expect().run()

    assert end.unanswered == 0


def test_a_stream_without_length_is_granted_more_as_it_is_taken() -> None:
    _, script = begin()
    opened = Opened(STAT, Form.STREAM, complete=False)
    ask(script, 1, OPEN).tell(Hear(opened, 1)).expect(Answered(1, opened, last=False))
    script.tell(HearData(b"x" * 10, 1)).expect(DataReceived(1, b"x" * 10, end=False, last=False))
    script.tell(Do("take", (1, 4))).expect().tell(Do("take", (1, 1))).expect(Said(Credit(5), 1))
    script.tell(HearData(b"y" * 5, 1)).expect(DataReceived(1, b"y" * 5, end=False, last=False)).run()


def test_a_stream_opened_without_credit_is_granted_some() -> None:
    _, script = begin()
    request, opened = Open(b"/", content=0, head=0), Opened(STAT, Form.STREAM, complete=False)
    ask(script, 1, request).tell(Hear(opened, 1)).expect(Answered(1, opened, last=False), Said(Credit(FIRST_WINDOW), 1))
    script.run()


def test_streams_of_known_length_are_never_granted_more() -> None:
    _, script = begin()
    ask(script, 1, Read(1, 0, 100)).tell(HearData(b"x" * 90, 1)).expect(
        DataReceived(1, b"x" * 90, end=False, last=False)
    )
    script.tell(Do("take", (1, 90))).expect().tell(Do("take", (7, 90))).expect().run()


def test_a_watch() -> None:
    _, script = begin()
    ask(script, 1, ListDirectory(b"/", watch=True)).tell(Hear(LISTED, 1)).expect(Answered(1, LISTED, last=False))
    script.tell(HearData(b"", 1, end=True)).expect(DataReceived(1, b"", end=True, last=False))
    script.tell(Hear(Changed(), 1)).expect(ChangedReceived(1, last=True)).run()


def test_a_change_may_overtake_the_listing() -> None:
    _, script = begin()
    ask(script, 1, ListDirectory(b"/", watch=True)).tell(Hear(LISTED, 1)).expect(Answered(1, LISTED, last=False))
    script.tell(Hear(Changed(), 1)).expect(ChangedReceived(1, last=False))
    script.tell(HearData(b"z", 1, end=True)).expect(DataReceived(1, b"z", end=True, last=True)).run()


STREAMING = Opened(STAT, Form.LARGE, complete=False)


@pytest.mark.parametrize(
    ("request_", "lies"),
    [
        (OPEN, [Hear(STAT, 1)]),
        (OPEN, [Hear(STAT, 2)]),
        (OPEN, [Hear(STAT, 0)]),
        (OPEN, [HearData(b"x", 1)]),
        (OPEN, [Hear(STREAMING, 1), Hear(STREAMING, 1)]),
        (OPEN, [Hear(STREAMING, 1), HearData(b"x" * 11, 1)]),
        (OPEN, [Hear(STREAMING, 1), HearData(b"", 1, end=True), HearData(b"", 1)]),
        (OPEN, [Hear(STREAMING, 1), HearData(b"", 1, end=True), Hear(FAILURE, 1)]),
        (OPEN, [Hear(STREAMING, 1), Hear(Changed(), 1)]),
        (OPEN, [Hear(Opened(STAT, Form.REQUEST, complete=False), 1), HearData(b"", 1)]),
        (OPEN, [Hear(Changed(), 1)]),
        (OPEN, [HearData(b"", 0, end=True)]),
        (Read(1, 0, 5), [HearData(b"123456", 1)]),
        (Read(1, 0, 5), [Hear(STAT, 1)]),
        (STAT_PATH, [Hear(LISTED, 1)]),
        (STAT_PATH, [HearData(b"", 1, end=True)]),
        (ListDirectory(b"/"), [Hear(Listed(STAT, watched=False), 1), Hear(Changed(), 1)]),
    ],
)
def test_lies(request_: Request, lies: list[Any]) -> None:
    _, script = begin()
    ask(script, 1, request_).run()
    end, script = begin()
    handler = EndScript(end)
    for event in (Do("say_hello", (HELLO,)), Hear(Welcome(target=TARGET)), Do("ask", (request_,)), *lies[:-1]):
        handler.handle(event)
    with pytest.raises(RemoteProtocolError):
        handler.handle(lies[-1])


@pytest.mark.parametrize("message", [HELLO, Close(), Credit(1), STAT_PATH])
def test_what_only_sessions_say(message: Message) -> None:
    _, script = begin()
    with pytest.raises(RemoteProtocolError):
        script.tell(Hear(message, 1)).run()
