"""How a name is looked for: which names are asked for, one after another, and what the answers amount to. No I/O.

It follows glibc's res_search(3) and getaddrinfo(3), for that is what a program on the target would have used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mirrord_agent.names.config.machine import Resolver
from mirrord_protocol.network_values import NameOutcome

FILES_LIFETIME = 1
"""Seconds for which an answer of the hosts file may be remembered; it may change at any time."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the answer to a question says."""

    outcome: NameOutcome
    values: tuple[bytes, ...] = ()
    """Addresses, or names."""
    name: bytes = b""
    """The canonical name: where aliases lead to."""
    lifetime: int = 0
    """Seconds."""
    dangling: bool = False
    """There was something in it, but not what was asked for: an alias that leads nowhere."""
    failure: bool = False
    """It was SERVFAIL."""
    aliases: tuple[bytes, ...] = ()
    """The names that led to the canonical one, in this order."""


class Search:
    """The names to ask for until one is found: `next`, then `tell` how it ended, until `next` has no more."""

    def __init__(self, name: bytes, resolver: Resolver) -> None:
        dots = name.count(b".")
        self._trailing = name.endswith(b".")
        self._name = name.removesuffix(b".")
        self._dots = dots
        self._domains = [] if self._trailing else list(resolver.search)
        self._as_is_last = dots > 0 or not resolver.no_single_names or not self._domains
        self._first = dots >= resolver.ndots or self._trailing
        self._asked_as_is = False
        self._asking_first = False
        self._saved: NameOutcome | None = None
        self._last = NameOutcome.NO_NAME
        self._no_data = self._servers_failed = self._over = self._refused = False

    def next(self) -> bytes | None:
        """Return the full name to ask for next, or None."""
        if self._over:
            return None
        self._asking_first = False
        if self._first and not self._asked_as_is:
            self._asked_as_is = self._asking_first = True
            return self._name
        while self._domains:
            if domain := self._domains.pop(0):
                return self._name + b"." + domain.removesuffix(b".")
            self._asked_as_is, self._as_is_last = True, False  # the root is on the list
            return self._name
        if self._as_is_last and not self._asked_as_is:
            self._asked_as_is = True
            return self._name
        return None

    def tell(self, answer: Answer, *, refused: bool = False) -> None:
        """Tell what came of the last name; `refused`: no server could be asked."""
        outcome = self._last = answer.outcome
        if outcome == NameOutcome.FOUND or answer.dangling or self._trailing:
            self._over, self._saved = True, outcome
        elif self._asking_first:
            self._saved = outcome
        elif refused:
            self._over, self._saved = True, NameOutcome.TRY_AGAIN
        elif outcome == NameOutcome.NO_DATA:
            self._no_data = True
        elif outcome == NameOutcome.TRY_AGAIN and answer.failure:
            self._servers_failed = True
        elif outcome != NameOutcome.NO_NAME:
            self._domains.clear()  # silence, or a refusal: the next domain would fare no better

    @property
    def outcome(self) -> NameOutcome:
        """How the whole ended."""
        if self._saved is not None:
            return self._saved
        if self._no_data:
            return NameOutcome.NO_DATA
        return NameOutcome.TRY_AGAIN if self._servers_failed else self._last


def combine(answers: Sequence[Answer | None]) -> Answer:
    """Return what the answers to the questions for both families amount to; None is one that didn't come.

    One family is enough. Where there is neither, the first that came tells why.
    """
    came = [answer for answer in answers if answer is not None]
    found = [answer for answer in came if answer.outcome == NameOutcome.FOUND]
    if not came:
        return Answer(NameOutcome.TRY_AGAIN)
    lifetime = min(answer.lifetime for answer in came) if len(came) == len(answers) else 0
    if found:
        values = tuple(value for answer in found for value in answer.values)
        return Answer(NameOutcome.FOUND, values, found[0].name, lifetime, aliases=found[0].aliases)
    told = [answer for answer in came if answer.outcome != NameOutcome.TRY_AGAIN] or came
    return Answer(
        told[0].outcome,
        lifetime=lifetime,
        dangling=any(answer.dangling for answer in came),
        failure=told[0].failure,
    )


def is_localhost(name: bytes) -> bool:
    """Whether a name means this machine whatever servers say (RFC 6761)."""
    name = name.removesuffix(b".").lower()
    return name == b"localhost" or name.endswith(b".localhost")
