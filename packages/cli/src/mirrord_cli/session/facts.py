"""What the target said and still holds, as the machine's parts use it: cache.py with the time, and without the agent's
watches that nobody needs. No I/O.

Once the agent is gone nothing holds any more: nobody would tell of a change.
"""

from __future__ import annotations

from mirrord_cli.session.actions import Action, Close
from mirrord_cli.session.cache import Cache, Listing
from mirrord_cli.session.questions import Outcome, Refused
from mirrord_protocol.values import Listed, Stat


class Facts:
    """What is known. Each method gives an answer, an errno's name, or None: ask."""

    def __init__(self, cache: Cache) -> None:
        self.now = 0.0
        self._cache = cache
        self._lost = False

    @property
    def keeps(self) -> bool:
        """Whether anything is remembered at all."""
        return self._cache.keeps

    def begin(self) -> int:
        """Return a mark for a question that is about to be asked."""
        return self._cache.begin()

    def stat(self, path: bytes, *, follow: bool = True) -> Stat | str | None:
        """Return a path's stat."""
        return None if self._lost else self._cache.stat(path, self.now, follow=follow)

    def readlink(self, path: bytes) -> bytes | str | None:
        """Return what a link holds."""
        return None if self._lost else self._cache.readlink(path, self.now)

    def realpath(self, path: bytes) -> bytes | str | None:
        """Return where a path leads."""
        return None if self._lost else self._cache.realpath(path, self.now)

    def listing(self, path: bytes) -> Listing | str | None:
        """Return a directory's entries."""
        return None if self._lost else self._cache.listing(path, self.now)

    def learn_stat(self, path: bytes, found: Stat | str, mark: int, *, follow: bool) -> None:
        """Remember a stat."""
        self._cache.put_stat(path, found, self.now, mark, follow=follow)

    def learn_readlink(self, path: bytes, found: bytes | str, mark: int) -> None:
        """Remember what a link holds."""
        self._cache.put_readlink(path, found, self.now, mark)

    def learn_realpath(self, path: bytes, found: bytes | str, mark: int) -> None:
        """Remember where a path leads."""
        self._cache.put_realpath(path, found, self.now, mark)

    def learn_listing(self, path: bytes, outcome: Outcome) -> Listing | str:
        """Remember and return the outcome of a question for a listing."""
        if isinstance(outcome, Refused):
            self._cache.put_listing(path, outcome.errno, self.now, outcome.mark)
            return outcome.errno
        assert isinstance(outcome.answer, Listed)
        found = Listing(outcome.answer.stat, outcome.data)
        if outcome.first:
            watch = outcome.ask if outcome.answer.watched else None
            self._cache.put_listing(path, found, self.now, outcome.mark, watch)
        return found

    def changed(self, ask: int) -> None:
        """Note that a watched directory has changed."""
        self._cache.changed(ask)

    def lose(self) -> None:
        """Note that the agent is gone."""
        self._lost = True

    def tidy(self, actions: list[Action]) -> None:
        """End the watches that nobody needs."""
        actions += [Close(watch) for watch in self._cache.take_unneeded()]
