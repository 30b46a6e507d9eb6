"""What a machine asks of the API server, and what comes back: one round is asked at once. No I/O."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from msgspec import Struct

from mirrord_cli.cluster.objects import Json

T = TypeVar("T")
PAGE = "500"
"""Objects in one answer at most, as kubectl has it."""


class Ask(Struct, frozen=True):
    """One GET."""

    path: str
    query: tuple[tuple[str, str], ...] = ()


class Refusal(Struct, frozen=True):
    """The answer of a server that doesn't do it."""

    status: int
    """Of HTTP: 403, 404."""
    message: str
    """The server's own words."""
    of_object: bool = True
    """With 404: whether the object is missing, and not the API that would have it."""


Answer = Json | Refusal
Rounds = Generator[tuple[Ask, ...], tuple[Answer, ...], T]
"""Yields what to ask at once, is sent the answers in the same order, and returns what comes of them."""


def page(path: str, *, labels: str = "", fields: str = "") -> Ask:
    """Return the question for the first page of a list, of what has some labels or fields."""
    query = {"labelSelector": labels, "fieldSelector": fields, "limit": PAGE}
    return Ask(path, tuple((name, value) for name, value in query.items() if value))


def items(answer: Answer) -> list[Json]:
    """Return a list's objects; a refused one has none."""
    return [] if isinstance(answer, Refusal) else answer.get("items") or []
