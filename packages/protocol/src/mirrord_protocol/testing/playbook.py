"""A script of what a machine is told and what it should do then, for any machine with `handle(event) -> actions`.

    Playbook(machine.handle).tell(Opened(7)).expect(Send(7, b"x")).tell(Closed(7)).expect().run()

A mismatch prints both scripts as a diff. Nothing here knows a protocol; ends.py makes a connection's end fit.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

E = TypeVar("E")
A = TypeVar("A")


class Learnt:
    """Stands in an expectation for a value that is not known beforehand; it equals what it meets first, then only that.

    `value` is what it met.
    """

    def __init__(self) -> None:
        self.value: Any = None
        self.known = False

    def __eq__(self, other: object) -> bool:
        if not self.known:
            self.value, self.known = other, True
        return bool(self.value == other)

    __hash__ = None  # type: ignore[assignment] # its equality changes

    def __repr__(self) -> str:
        return repr(self.value) if self.known else "anything"


class Playbook(Generic[E, A]):
    """A script; built by `tell` and `expect`, played by `run`."""

    def __init__(self, handle: Callable[[E], Iterable[A]]) -> None:
        self._handle = handle
        self._script: list[tuple[E, list[A]]] = []

    def tell(self, event: E) -> Playbook[E, A]:
        """Add an event. Nothing is expected of it until `expect` says so."""
        self._script.append((event, []))
        return self

    def expect(self, *actions: A) -> Playbook[E, A]:
        """Add the actions, all of them and in this order, that the last event should lead to."""
        self._script[-1][1].extend(actions)
        return self

    def run(self) -> None:
        """Play the script to its first mismatch; raises AssertionError with a diff."""
        wanted: list[str] = []
        happened: list[str] = []
        for event, expected in self._script:
            actions = list(self._handle(event))
            same = expected == actions  # expectations first: they may learn
            for lines, found in ((wanted, expected), (happened, actions)):
                lines.append(f">> {event!r}")
                lines.extend(f"<< {action!r}" for action in found)
            if not same:
                diff = difflib.unified_diff(wanted, happened, "expected", "happened", n=1000, lineterm="")
                raise AssertionError("\n".join(["the script went differently:", *diff]))
