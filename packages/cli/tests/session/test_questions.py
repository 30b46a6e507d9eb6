"""Questions to the agent: shared, answered in order, ended by its loss."""

from __future__ import annotations

from mirrord_cli.session.actions import Action, Ask
from mirrord_cli.session.questions import Outcome, Questions, Refused, Told
from mirrord_protocol.values import Failure, FailureKind, RealPath


def test_shared_and_marked_as_of_when_it_was_sent() -> None:
    actions: list[Action] = []
    marks = iter([7, 8])
    questions = Questions(actions, lambda: next(marks))
    got: list[Outcome] = []

    assert questions.ask(RealPath(b"/a"), got.append)
    assert not questions.ask(RealPath(b"/a"), got.append)
    assert questions.ask(RealPath(b"/b"), got.append, 10)
    questions.answered(1, b"/real", b"")
    questions.refused(2, Failure(FailureKind.SYSTEM, "ENOENT"))

    assert actions == [Ask(1, RealPath(b"/a")), Ask(2, RealPath(b"/b"), 10)]
    assert got == [
        Told(1, b"/real", b"", 7, first=True),
        Told(1, b"/real", b"", 7, first=False),
        Refused(Failure(FailureKind.SYSTEM, "ENOENT"), 8),
    ]


def test_asked_again_by_the_one_who_is_told() -> None:
    actions: list[Action] = []
    questions = Questions(actions, lambda: 0)

    def again(outcome: Outcome) -> None:
        questions.ask(RealPath(b"/a"), lambda outcome: None)

    questions.ask(RealPath(b"/a"), again)

    questions.answered(1, b"/real", b"")

    assert [action.ask for action in actions if isinstance(action, Ask)] == [1, 2]


def test_lost() -> None:
    questions = Questions([], lambda: 0)
    got: list[Outcome] = []
    questions.ask(RealPath(b"/a"), got.append)

    questions.lose()
    questions.ask(RealPath(b"/b"), got.append)

    assert [each.errno for each in got if isinstance(each, Refused)] == ["EIO", "EIO"]
