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
    mark: int = 0
    """The cache's, from when the question was sent."""
    first: bool = True
    """Whether this is told to the one who asked, not to one who waited too: what is for one alone is the first's."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A bad answer."""

    failure: Failure
    mark: int = 0

    @property
    def errno(self) -> str:
        """What a program gets for it."""
        return self.failure.errno or MEANINGS.get(self.failure.kind, "EIO")


Outcome = Told | Refused
Then = Callable[[Outcome], None]


@dataclass(slots=True)
class _Pending:
    request: Request
    mark: int
    waiting: list[Then] = field(default_factory=list)


class Questions:
    """Questions that have no answer yet.

    Args:
        actions: Where questions are put to be asked.
        begin: Returns the cache's mark for a question that is about to be sent.
    """

    def __init__(self, actions: list[Action], begin: Callable[[], int]) -> None:
        self._actions = actions
        self._begin = begin
        self._pending: dict[int, _Pending] = {}
        self._asked: dict[Request, int] = {}
        self._number = 0
        self.lost = False
        """Whether the agent is gone."""

    def ask(self, request: Request, then: Then, most: int | None = None) -> bool:
        """Ask, or wait with those who asked the same; return whether it is a new question.

        `then` is called with the outcome, at once if the agent is gone.
        """
        if self.lost:
            then(Refused(LOST))
            return False
        number = self._asked.get(request)
        new = number is None
        if number is None:
            self._number += 1
            number = self._asked[request] = self._number
            self._pending[number] = _Pending(request, self._begin())
            self._actions.append(Ask(number, request, most))
        self._pending[number].waiting.append(then)
        return new

    def answered(self, number: int, answer: Answer, data: bytes) -> None:
        """Note the good answer to a question."""
        pending = self._end(number)
        outcome = Told(number, answer, data, pending.mark)
        for then in pending.waiting:
            then(outcome)
            outcome = replace(outcome, first=False) if outcome.first else outcome

    def refused(self, number: int, failure: Failure) -> None:
        """Note the bad answer to a question."""
        pending = self._end(number)
        for then in pending.waiting:
            then(Refused(failure, pending.mark))

    def lose(self) -> None:
        """Note that the agent is gone: all questions fail."""
        self.lost = True
        for number in list(self._pending):
            self.refused(number, LOST)

    def _end(self, number: int) -> _Pending:
        pending = self._pending.pop(number)
        del self._asked[pending.request]
        return pending
