"""What of the rules layers may apply themselves: folders in which every path is local, for reading and for changes.

The shared table (table.py) carries them. A folder is in the list only if the rules (rules.py) can't decide otherwise
for any path in it; where that can't be seen from a pattern's text, layers ask. What they asked about once is a slot.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from mirrord_cli.session.defaults import defaults_for
from mirrord_cli.session.paths import ROOT, is_below
from mirrord_cli.session.settings import FileRules, Mode

MOST: Final = 128
"""Layers go through the list for each path."""


class PrefixVerdict(enum.IntEnum):
    """What a prefix says; the numbers are the table's."""

    LOCAL = 1
    ASK = 2


@dataclass(frozen=True, slots=True)
class Prefix:
    """A path that speaks for itself and for every path below it, unless a longer one does."""

    text: bytes
    """In lower case: all are compared without case (ASCII's)."""
    verdict: PrefixVerdict


@dataclass(frozen=True, slots=True)
class _Spot:
    """Where a pattern can be found: only in paths that begin so, in whatever case. Empty: anywhere."""

    text: bytes
    folder: bool = False
    """Only in the path that is `text`, and below it."""
    whole: bool = False
    """In all of these."""

    def touches(self, folder: bytes) -> bool:
        """Whether it can be found in the folder's own path or in one below it."""
        if is_below(self.text, folder):
            return True
        return is_below(folder, self.text) if self.folder else folder.startswith(self.text)

    def cover(self) -> bytes:
        """Return the smallest folder that has all the paths in which it can be found."""
        return self.text if self.folder else self.text.rpartition(ROOT)[0] or ROOT


def derive_prefixes(files: FileRules) -> list[Prefix]:
    """Return the folders that layers may take for local and the exceptions in them, the longest first.

    The first that covers a path speaks for it.
    """
    defaults = defaults_for(files)
    local_mode = files.mode is Mode.LOCAL
    patterns = [pattern for pattern, _ in files.mapping]
    if not local_mode:
        patterns += [*files.not_found, *files.read_only]
    spots = [_spot(pattern) for pattern in patterns]
    asked: set[bytes] = set()
    local: set[bytes] = set()
    if not local_mode:
        wanted = [_spot(pattern) for pattern in files.local]
        _choose((spot.text for spot in wanted if spot.whole), spots, local, asked)
        spots += [_Spot(path.lower(), folder=True) for path in defaults.not_found + defaults.remote]
        _choose((path.lower() for path in defaults.local), spots, local, asked)
    if files.mode is not Mode.READ:
        _choose([ROOT], spots, local, asked)
    prefixes = dict.fromkeys(local, PrefixVerdict.LOCAL) | dict.fromkeys(asked, PrefixVerdict.ASK)
    chosen: list[Prefix] = []
    for path in sorted(
        prefixes, key=lambda path: (len(path), path)
    ):  # shortest first: what is said already is left out
        above = next((other.verdict for other in reversed(chosen) if is_below(path, other.text)), PrefixVerdict.ASK)
        if prefixes[path] != above:
            chosen.append(Prefix(path, prefixes[path]))
    return chosen[::-1] if len(chosen) <= MOST else []


def _choose(folders: Iterable[bytes], spots: Iterable[_Spot], local: set[bytes], asked: set[bytes]) -> None:
    """Take those folders in which nothing but the spots can be remote, with the spots as exceptions."""
    for folder in folders:
        covers = {spot.cover() for spot in spots if spot.touches(folder)}
        if all(is_below(cover, folder) and cover != folder for cover in covers):
            local.add(folder)
            asked |= covers


# ---------------------------------------------------------------------------------------------- patterns

_ESCAPES_AND_SETS: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_GROUP: Final = re.compile(r"\([^()]*\)")
_BEGINNING: Final = re.compile(r"(?:\^|\\A)((?:[A-Za-z0-9/_~@%,:=; -]|\\[!-/:-@\[-`{-~])*)")
_END_OF_FOLDER: Final = re.compile(r"\((?:\?:)?(?:/\|(?:\$|\\Z)|(?:\$|\\Z)\|/)\)")
_REPEATS: Final = tuple("?*+{")


def _spot(pattern: str) -> _Spot:
    """Return where a user's pattern can be found, as far as its text shows it without doubt."""
    plain = _ESCAPES_AND_SETS.sub("", pattern)
    while plain != (without := _GROUP.sub("", plain)):
        plain = without
    beginning = _BEGINNING.match(pattern)
    if not beginning or not {"|", "(", ")"}.isdisjoint(plain):  # not at the beginning, or something else may be found
        return _Spot(b"")
    literal, rest = beginning[1], pattern[beginning.end() :]
    if rest.startswith(_REPEATS):
        literal = re.sub(r"\\?.\Z", "", literal)
        return _Spot(_plain(literal))
    text = _plain(literal)
    if not text.startswith(ROOT) or text.endswith(ROOT):
        return _Spot(text)
    if end := _END_OF_FOLDER.match(rest):
        after = rest[end.end() :]
        if not after.startswith(_REPEATS):
            return _Spot(text, folder=True, whole=not after)
    if rest in {"$", r"\Z"}:
        return _Spot(text, folder=True)
    return _Spot(text, whole=not rest)


def _plain(literal: str) -> bytes:
    return re.sub(r"\\(.)", r"\1", literal).encode().lower()
