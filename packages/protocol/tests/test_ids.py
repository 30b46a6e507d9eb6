"""How an id's life goes on: one table of requests and answers, the same for both ends."""

from __future__ import annotations

import pytest

from mirrord_protocol.ids import ANSWERS, STREAMED, Id, Phase, credit_of, phase_after
from mirrord_protocol.values import Answer, Form, ListDirectory, Listed, Open, Opened, Read, Request, StatPath
from protocol_samples import MESSAGES, STAT

OPEN = Open(b"/", content=1000, head=10)
LIST = ListDirectory(b"/", credit=77)


def opened(form: Form, *, complete: bool = False) -> Opened:
    return Opened(STAT, form, complete)


@pytest.mark.parametrize(
    ("request_", "answer", "credit"),
    [
        (OPEN, opened(Form.WHOLE), 1000),
        (OPEN, opened(Form.LARGE), 10),
        (OPEN, opened(Form.STREAM), 10),
        (OPEN, opened(Form.REQUEST), 0),
        (OPEN, opened(Form.DIRECTORY), 0),
        (LIST, Listed(STAT, watched=False), 77),
        (StatPath(b"/"), STAT, 0),
    ],
)
def test_first_credit(request_: Request, answer: Answer, credit: int) -> None:
    assert credit_of(request_, answer) == credit


@pytest.mark.parametrize(
    ("request_", "answer", "answered", "ended"),
    [
        (OPEN, opened(Form.WHOLE, complete=True), Phase.STREAMING, None),
        (OPEN, opened(Form.WHOLE), Phase.STREAMING, Phase.KEPT),
        (OPEN, opened(Form.LARGE), Phase.STREAMING, Phase.KEPT),
        (OPEN, opened(Form.STREAM), Phase.STREAMING, Phase.KEPT),
        (OPEN, opened(Form.REQUEST), Phase.KEPT, Phase.KEPT),
        (OPEN, opened(Form.DIRECTORY), Phase.KEPT, Phase.KEPT),
        (OPEN, opened(Form.NOTHING), None, None),
        (LIST, Listed(STAT, watched=True), Phase.STREAMING, Phase.KEPT),
        (LIST, Listed(STAT, watched=False), Phase.STREAMING, None),
        (StatPath(b"/"), STAT, None, None),
    ],
)
def test_phases(request_: Request, answer: Answer, answered: Phase | None, ended: Phase | None) -> None:
    assert phase_after(request_, answer, ended=False) == answered
    assert phase_after(request_, answer, ended=True) == ended


def test_a_read_is_its_data() -> None:
    record = Id(Read(1, 0, 100), Phase.ASKED)

    assert record.after(ended=False) == Phase.STREAMING
    assert record.move(100)
    assert not record.move(1)
    assert record.after(ended=True) is None


def test_a_watch_that_is_over_keeps_nothing() -> None:
    record = Id(LIST, Phase.ASKED)
    record.set_answer(Listed(STAT, watched=True))

    assert record.watched
    record.watched = False
    assert record.after(ended=False) == Phase.STREAMING
    assert record.after(ended=True) is None


@pytest.mark.parametrize("wrong", [STAT, b"/path", MESSAGES["failure"], Listed(STAT, watched=False)])
def test_answers_to_something_else(wrong: Answer) -> None:
    with pytest.raises(TypeError):
        Id(OPEN, Phase.ASKED).set_answer(wrong)


def test_each_request_has_its_answer() -> None:
    assert {*ANSWERS, Read} == set(Request.__args__)
    assert set(STREAMED) < set(Form)
