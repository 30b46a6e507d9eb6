"""Which watched listing an event of inotify(7) is about. No I/O.

One watch of the kernel may serve many listings: it belongs to an inode, and has one mask for all of them.
driver.py adds and removes them.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from mirrord_agent.kernel.layouts import (
    IN_ATTRIB,
    IN_CREATE,
    IN_DELETE,
    IN_DELETE_SELF,
    IN_IGNORED,
    IN_MODIFY,
    IN_MOVE_SELF,
    IN_MOVED_FROM,
    IN_MOVED_TO,
    IN_Q_OVERFLOW,
    IN_UNMOUNT,
)

PLACE = IN_DELETE_SELF | IN_MOVE_SELF
ENTRIES = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO
OVER = IN_IGNORED | IN_UNMOUNT


class Interest(enum.Enum):
    """What of an inode concerns a listing: masks of events about its entries, and about itself."""

    LISTED = (ENTRIES | IN_MODIFY | IN_ATTRIB, PLACE | IN_ATTRIB)
    """The directory that was listed."""
    ABOVE = (0, PLACE | IN_ATTRIB)
    """A directory on the way to it: moved away or closed, it makes the path mean something else."""
    FOLDER = (ENTRIES, 0)
    """A directory in it: its times and links change with its entries."""
    LINKED = (0, IN_MODIFY | IN_ATTRIB)
    """A file in it that has other names: changed by one of those, it tells the directory nothing."""

    @property
    def mask(self) -> int:
        return self.value[0] | self.value[1]

    def sees(self, mask: int, *, entry: bool) -> bool:
        """Whether an event concerns the listing."""
        return bool(mask & OVER or mask & self.value[0 if entry else 1])


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an event, or a listing's end, leads to."""

    changed: frozenset[int] = frozenset()
    """Listings that have changed; they are forgotten."""
    unused: frozenset[int] = frozenset()
    """Watches of the kernel that nobody needs any more."""


class WatchTable:
    """Which listings depend on which watches of the kernel."""

    def __init__(self) -> None:
        self._interests: dict[int, dict[int, set[Interest]]] = {}
        self._numbers: dict[int, set[int]] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def begin(self, id_: int) -> None:
        """Note a listing, without any watch yet."""
        self._numbers[id_] = set()

    def count(self, id_: int) -> int:
        """Return how many watches a listing needs."""
        return len(self._numbers.get(id_, ()))

    def add(self, id_: int, number: int, interest: Interest) -> None:
        """Note that a listing depends on a watch."""
        self._numbers[id_].add(number)
        self._interests.setdefault(number, {}).setdefault(id_, set()).add(interest)

    def knows(self, id_: int) -> bool:
        """Whether a listing is still watched."""
        return id_ in self._numbers

    def drop(self, id_: int) -> Outcome:
        """Forget a listing."""
        unused = set()
        for number in self._numbers.pop(id_, set()):
            listings = self._interests.get(number, {})
            listings.pop(id_, None)
            if number in self._interests and not listings:
                del self._interests[number]
                unused.add(number)
        return Outcome(unused=frozenset(unused))

    def happened(self, number: int, mask: int, *, entry: bool) -> Outcome:
        """Take an event."""
        if mask & IN_Q_OVERFLOW:
            changed = set(self._numbers)
        else:
            changed = {
                id_
                for id_, interests in self._interests.get(number, {}).items()
                if any(interest.sees(mask, entry=entry) for interest in interests)
            }
        unused: set[int] = set()
        for id_ in changed:
            unused |= self.drop(id_).unused
        if mask & OVER:
            unused.discard(number)  # the kernel has ended it itself
        return Outcome(frozenset(changed), frozenset(unused))
