"""What is being asked of the agent just now, and who waits for it: equal questions share one round trip. No I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from mirrord_cli.session.actions import Action, Ask
from mirrord_protocol.values import Answer, Failure, FailureKind, Request

LOST = Failure(FailureKind.GONE, None, "the agent is gone")
TOO_LONG = Failure(FailureKind.LIMIT, None, "longer than was wanted")
"""Of an `Ask` with `most`: the driver's answer, never the agent's."""
MEANINGS = {FailureKind.UNSUPPORTED: "ENOTSUP", FailureKind.FORBIDDEN: "EACCES"}
"""Errnos of failures that have none; all others are EIO."""


@dataclass(frozen=True, slots=True)
class Told:
    """A good answer."""

    ask: int
    answer: Answer
    data: bytes = b""
    """What followed it: a whole file, the head of a large one, a listing."""
    first: bool = True
    """Whether this is told to the one who asked, not to one who waited too: what is for one alone is the first's."""


Outcome = Told | Failure
Then = Callable[[Outcome], None]


@dataclass(slots=True)
class _Pending:
    request: Request
    waiting: list[Then] = field(default_factory=list)


class Questions:
    """Questions that have no answer yet."""

    def __init__(self, actions: list[Action]) -> None:
        self._actions = actions
        self._pending: dict[int, _Pending] = {}
        self._asked: dict[Request, int] = {}
        self._number = 0
        self.lost = False
        """Whether the agent is gone."""

    def ask(self, request: Request, then: Then, most: int | None = None) -> None:
        """Ask, or wait with those who asked the same; `then` is called with the outcome, at once if the agent is gone."""
        if self.lost:
            then(LOST)
            return
        number = self._asked.get(request)
        if number is None:
            self._number += 1
            number = self._asked[request] = self._number
            self._pending[number] = _Pending(request)
            self._actions.append(Ask(number, request, most))
        self._pending[number].waiting.append(then)

    def is_asked(self, request: Request) -> bool:
        """Whether an equal question is under way."""
        return request in self._asked

    def end(self, number: int, outcome: Outcome) -> None:
        """Note the outcome of a question."""
        pending = self._pending.pop(number)
        del self._asked[pending.request]
        for then in pending.waiting:
            then(outcome)
            if isinstance(outcome, Told) and outcome.first:
                outcome = replace(outcome, first=False)

    def lose(self) -> None:
        """Note that the agent is gone: all questions fail."""
        self.lost = True
        for number in list(self._pending):
            self.end(number, LOST)


def errno_of(failure: Failure) -> str:
    """Return the errno that a program gets for a failure."""
    return failure.errno or MEANINGS.get(failure.kind, "EIO")
