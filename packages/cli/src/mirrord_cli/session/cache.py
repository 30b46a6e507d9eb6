"""What is remembered of the target's file system, and for how long it holds. No I/O; the time is passed in.

A fact holds for the time to live, or, where the agent watches its directory, until that has changed. The agent promises
a watch only for a directory that no link leads to, on a file system that shows every change; so what a watched listing
says of its entries is exact, and so is what it doesn't name: that isn't there. Contents are not here: a file's content
is that of its stand-in as long as its stat is the same (standins/registry.py).

Paths are those the agent was asked about. Nothing resolves links here: a path that leads over a link is covered by no
watch, and one with a `..`, or a dot at its end, says nothing but about itself. Errors are errnos by name.
"""

from __future__ import annotations

import enum
import stat as modes
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mirrord_cli.session.paths import clean, follows_text, is_clean, parents, split
from mirrord_protocol.failure import RemoteProtocolError
from mirrord_protocol.messages import decode_chunks
from mirrord_protocol.values import DirectoryEntry, Stat

FACTS: Final = 1 << 14
"""So many stats, links and absences are remembered: at most about ten megabytes."""
LISTINGS: Final = 1000
"""An agent watches a few more for one session."""
ROOM: Final = 4 << 20
"""Bytes of listings as they travel: about twenty thousand entries, which are some four times larger in use."""

_INHERITED: Final = frozenset({"ENOENT", "ENOTDIR", "EACCES", "ELOOP"})
"""What fails so for a directory fails so for all paths that lead through it."""
_KEPT: Final = _INHERITED | {"EINVAL", "ENAMETOOLONG"}
"""What the target says, not what happened to be wrong."""
_LINK_TYPE: Final = 10
_SEARCH: Final = 1
_LONGEST_NAME: Final = 255


@dataclass(frozen=True, slots=True, eq=False)
class Listing:
    """A directory's entries."""

    stat: Stat
    """The directory's own."""
    data: bytes
    """A sequence of DirectoryChunk, as the agent sent it."""


class _Kind(enum.Enum):
    STAT = enum.auto()
    OWN_STAT = enum.auto()
    """Of a link itself."""
    LINK = enum.auto()
    REAL_PATH = enum.auto()
    LISTING = enum.auto()
    """Only its errno: listings have a place of their own."""


_Key = tuple[_Kind, bytes]


@dataclass(frozen=True, slots=True)
class _Fact:
    value: Stat | bytes | str
    expires: float
    watch: int | None


class _Known:
    """A listing that is remembered."""

    def __init__(self, listing: Listing, expires: float, watch: int | None, mark: int) -> None:
        self.listing = listing
        self.expires = expires
        self.watch = watch
        self.mark = mark
        self._entries: Mapping[bytes, DirectoryEntry] | None = None
        self._folded: frozenset[str] | None = None
        self._broken = False

    @property
    def entries(self) -> Mapping[bytes, DirectoryEntry]:
        """The entries by name; taken apart when they are asked about."""
        if self._entries is None:
            try:
                self._entries = {entry.name: entry for entry in decode_chunks(self.listing.data)}
            except RemoteProtocolError:  # nothing is known then; layers find it out for themselves
                self._entries, self._broken = {}, True
        return self._entries

    def lacks(self, name: bytes) -> bool:
        """Whether there is surely no such entry: not even for a file system that takes cases for the same."""
        if self.watch is None or len(name) > _LONGEST_NAME:
            return False
        if self._folded is None:
            self._folded = frozenset(map(_fold, self.entries))
        return not self._broken and _fold(name) not in self._folded


class Cache:
    """What is remembered.

    What is found is the answer, or an errno, or None: ask the agent. `begin` gives a mark before a question is sent;
    its answer is put with that mark, so that it counts as covered only by a watch that was there before.

    Args:
        time_to_live: In seconds; 0 remembers nothing, watched or not.
    """

    def __init__(self, time_to_live: float, *, facts: int = FACTS, listings: int = LISTINGS, room: int = ROOM) -> None:
        self._time_to_live = time_to_live
        self._facts_limit, self._listings_limit, self._room = facts, listings, room
        self._facts: OrderedDict[_Key, _Fact] = OrderedDict()
        self._keys: dict[bytes, set[_Key]] = {}
        """By directory: what is known of paths in it."""
        self._listings: OrderedDict[bytes, _Known] = OrderedDict()
        self._used = 0
        self._watches: dict[int, bytes] = {}
        self._unneeded: list[int] = []
        self._mark = 0

    @property
    def keeps(self) -> bool:
        """Whether anything is remembered at all: else nothing need be watched."""
        return self._time_to_live > 0

    def begin(self) -> int:
        """Return a mark for a question that is about to be sent."""
        return self._mark

    # ------------------------------------------------------------------------------------------ finding

    def stat(self, path: bytes, now: float, *, follow: bool = True) -> Stat | str | None:
        """Return the stat of a path; of a link itself unless `follow`."""
        path, clear, folder = _take(path)
        found = self._stat(path, now, follow=follow or folder)
        if found is None and clear:
            found = self._above(path, now)
        return "ENOTDIR" if folder and isinstance(found, Stat) and not modes.S_ISDIR(found.mode) else found

    def readlink(self, path: bytes, now: float) -> bytes | str | None:
        """Return what a link holds."""
        plain, _, folder = _take(path)
        known = None if folder else self._get(_Kind.LINK, plain, now)
        if known is not None:
            assert not isinstance(known, Stat)
            return known
        found = self.stat(path, now, follow=False)
        if isinstance(found, Stat):
            return None if modes.S_ISLNK(found.mode) else "EINVAL"
        return found

    def realpath(self, path: bytes, now: float) -> bytes | str | None:
        """Return the path that has no links and leads to the same."""
        found = self.stat(path, now)
        if isinstance(found, str):
            return found
        path, clear, folder = _take(path)
        if folder and found is None:
            return None
        known = self._get(_Kind.REAL_PATH, path, now)
        if known is not None:
            assert not isinstance(known, Stat)
            return known
        return path if clear and found is not None and self._is_straight(path, now) else None

    def listing(self, path: bytes, now: float) -> Listing | str | None:
        """Return a directory's entries."""
        plain = _take(path)[0]
        if listing := self._listing(plain, now):
            return listing.listing
        known = self._get(_Kind.LISTING, plain, now)
        if known is not None:
            assert isinstance(known, str)
            return known
        found = self.stat(plain, now)
        if isinstance(found, Stat):
            return None if modes.S_ISDIR(found.mode) else "ENOTDIR"
        return found

    # ------------------------------------------------------------------------------------------ putting

    def put_stat(self, path: bytes, answer: Stat | str, now: float, mark: int, *, follow: bool = True) -> None:
        """Remember the answer to a question about a stat, or the stat that came with an open."""
        path, _, folder = _take(path)
        if folder and isinstance(answer, str) and answer != "ENOENT":
            return  # whether the path itself or its slash was the trouble isn't known
        follow = follow or folder
        self._put(
            _Kind.STAT if follow else _Kind.OWN_STAT, path, answer, now, self._cover(path, mark, now, follow=follow)
        )

    def put_readlink(self, path: bytes, answer: bytes | str, now: float, mark: int) -> None:
        """Remember what a link holds."""
        path, _, folder = _take(path)
        if not folder:
            self._put(_Kind.LINK, path, answer, now, self._cover(path, mark, now, follow=False))

    def put_realpath(self, path: bytes, answer: bytes | str, now: float, mark: int) -> None:
        """Remember the path that has no links."""
        path, _, folder = _take(path)
        if not folder or isinstance(answer, bytes):
            self._put(_Kind.REAL_PATH, path, answer, now, self._cover(path, mark, now, follow=True))

    def put_listing(self, path: bytes, answer: Listing | str, now: float, mark: int, watch: int | None = None) -> None:
        """Remember a directory's entries.

        Args:
            path: As asked about.
            answer: The whole listing, or the errno.
            now: The time.
            mark: From `begin`.
            watch: A number for the watch that the agent keeps, unless it has told of a change already.
        """
        path, clear, _ = _take(path)
        if isinstance(answer, str):
            self._put(_Kind.LISTING, path, answer, now, self._cover(path, mark, now, follow=True))
            return
        self._forget(path)
        size = len(answer.data)
        fits = self.keeps and size <= self._room
        if watch is not None and not (fits and clear):
            self._unneeded.append(watch)
            watch = None
        if not fits:
            return
        self._mark += 1
        self._listings[path] = _Known(answer, now + self._time_to_live, watch, self._mark)
        self._used += size
        if watch is not None:
            self._watches[watch] = path
        while self._used > self._room or len(self._listings) > self._listings_limit:
            self._forget(next(iter(self._listings)))

    def changed(self, watch: int) -> None:
        """Forget what a watch covered, as something there has changed; the watch is over."""
        path = self._watches.pop(watch, None)
        if path is None:
            return
        if watch in self._unneeded:
            self._unneeded.remove(watch)
        else:
            self._forget(path)
            self._unneeded.remove(watch)
        for key in [*((kind, path) for kind in _Kind), *self._keys.get(path, ())]:
            self._drop(key)

    def take_unneeded(self) -> list[int]:
        """Return the watches that cover nothing remembered any more, once: the agent may end them."""
        unneeded, self._unneeded = self._unneeded, []
        for watch in unneeded:
            self._watches.pop(watch, None)
        return unneeded

    # ------------------------------------------------------------------------------------------ within

    def _stat(self, path: bytes, now: float, *, follow: bool) -> Stat | str | None:
        """Return what is known of a path itself."""
        known = self._get(_Kind.STAT if follow else _Kind.OWN_STAT, path, now)
        if known is None and follow:
            known = self._get(_Kind.OWN_STAT, path, now)
            # A link leads elsewhere; anything else is the same, and what isn't there isn't there.
            if isinstance(known, Stat) and modes.S_ISLNK(known.mode):
                known = None
        if known is not None:
            assert not isinstance(known, bytes)
            return known
        own = self._listing(path, now)
        if own and (follow or own.watch is not None):
            return own.listing.stat
        parent, name = split(path)
        above = self._listing(parent, now) if name and is_clean(path) else None
        if above is None or not above.listing.stat.allowed & _SEARCH:
            return None
        if entry := above.entries.get(name):
            link = entry.stat is None or modes.S_ISLNK(entry.stat.mode)
            return None if follow and link else entry.stat
        return "ENOENT" if above.lacks(name) else None

    def _above(self, path: bytes, now: float) -> str | None:
        """Return why a path can't be, if what is known of a directory that it leads through says so."""
        for parent in parents(path):
            found = self._stat(parent, now, follow=True)
            if isinstance(found, str):
                return found if found in _INHERITED else None
            if found:
                return None if modes.S_ISDIR(found.mode) else "ENOTDIR"
        return None

    def _listing(self, path: bytes, now: float) -> _Known | None:
        known = self._listings.get(path)
        if known is None or (known.watch is None and known.expires <= now):
            return None
        self._listings.move_to_end(path)
        return known

    def _forget(self, path: bytes) -> None:
        known = self._listings.pop(path, None)
        if known:
            self._used -= len(known.listing.data)
            if known.watch is not None:
                self._unneeded.append(known.watch)

    def _is_straight(self, path: bytes, now: float) -> bool:
        """Whether a path surely has no links."""
        own = self._listing(path, now)
        if own and own.watch is not None:
            return True
        parent, name = split(path)
        above = self._listing(parent, now)
        entry = above.entries.get(name) if above and above.watch is not None else None
        return bool(entry and entry.stat and not modes.S_ISLNK(entry.stat.mode))

    def _cover(self, path: bytes, mark: int, now: float, *, follow: bool) -> int | None:
        """Return the watch that tells of every change to a fact that was asked for at a mark."""
        own = self._listing(path, now)
        if own and own.watch is not None and own.mark <= mark:
            return own.watch
        parent, name = split(path)
        above = self._listing(parent, now) if name and is_clean(path) else None
        if above is None or above.watch is None or above.mark > mark:
            return None
        entry = above.entries.get(name)
        if follow and entry and (entry.stat is None or modes.S_ISLNK(entry.stat.mode)):
            return None
        return above.watch

    def _get(self, kind: _Kind, path: bytes, now: float) -> Stat | bytes | str | None:
        fact = self._facts.get((kind, path))
        if fact is None or (fact.watch not in self._watches and fact.expires <= now):
            return None
        self._facts.move_to_end((kind, path))
        return fact.value

    def _put(self, kind: _Kind, path: bytes, value: Stat | bytes | str, now: float, watch: int | None) -> None:
        key = (kind, path)
        self._drop(key)
        if not self.keeps or (isinstance(value, str) and value not in _KEPT):
            return
        self._facts[key] = _Fact(value, now + self._time_to_live, watch)
        self._keys.setdefault(split(path)[0], set()).add(key)
        if len(self._facts) > self._facts_limit:
            self._drop(next(iter(self._facts)))

    def _drop(self, key: _Key) -> None:
        if self._facts.pop(key, None):
            parent = split(key[1])[0]
            keys = self._keys[parent]
            keys.discard(key)
            if not keys:
                del self._keys[parent]


def _take(path: bytes) -> tuple[bytes, bool, bool]:
    """Return what a path is remembered as, whether its text is where it leads, and whether it asks for a directory."""
    if is_clean(path):
        return path, True, False
    # A dot at the end asks whether the directory may be searched, which its name alone doesn't.
    if not path.startswith(b"/") or not follows_text(path) or path.rstrip(b"/").endswith(b"/."):
        return path, False, False
    return clean(path), True, path.endswith(b"/")


def _fold(name: bytes) -> str:
    return name.decode(errors="surrogateescape").casefold()
