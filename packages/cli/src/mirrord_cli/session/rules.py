"""Which side serves a path: the section "Decision" of docs/layer.md, in its order. No I/O.

The default rules are in defaults.py; what of all this layers may apply themselves is derived in prefixes.py.
"""

from __future__ import annotations

import enum
import functools
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from mirrord_cli.session.defaults import compile_folders, defaults_for
from mirrord_cli.session.paths import clean, left_behind
from mirrord_cli.session.settings import FileRules, Mode

KEPT: Final = 1 << 14
"""So many verdicts are remembered, for reading and for changes each: a few megabytes."""

_REFERENCE: Final = re.compile(r"\$\$|\$(\w+)|\$\{(\w+)\}", re.ASCII)
# Regular expressions without case take these four letters for i, s and k, which the shared table doesn't; and `$`
# matches before a newline at the end. In their place stand letters that have no case and that nobody uses, so that
# what a pattern says of a folder is what prefixes.py makes of it.
_LETTERS: Final = {0x130: 0x10600, 0x131: 0x10601, 0x17F: 0x10602, 0x212A: 0x10603}
_STAND_FOR: Final = _LETTERS | {0x0A: 0x10604}
_BACK: Final = {new: old for old, new in _STAND_FOR.items()}


class Side(enum.Enum):
    """Where a path belongs; `NOT_FOUND` is nowhere: ENOENT."""

    LOCAL = "local"
    REMOTE = "remote"
    NOT_FOUND = "not found"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided about a path."""

    side: Side
    path: bytes
    """The path asked about, or what a mapping made of it; cleaned."""
    mapped: bool
    """Whether `path` is another one than was asked about."""


class Rules:
    """A user's rules and the default ones, ready to decide."""

    def __init__(self, files: FileRules) -> None:
        defaults = defaults_for(files)
        self._mode = files.mode
        self._mapping = tuple(_Mapping(pattern, replacement) for pattern, replacement in files.mapping)
        self._not_found = Patterns(files.not_found)
        self._read_only = Patterns(files.read_only)
        self._local = Patterns(files.local)
        self._default_not_found = compile_folders(defaults.not_found)
        self._default_remote = compile_folders(defaults.remote)
        self._default_local = compile_folders(defaults.local)
        self._default_local_others = defaults.local_others
        self._reads = functools.lru_cache(maxsize=KEPT)(functools.partial(self._decide, changing=False))
        self._changes = functools.lru_cache(maxsize=KEPT)(functools.partial(self._decide, changing=True))

    def decide(self, path: bytes, changing: bool) -> Verdict:  # noqa: FBT001 - what else could it be
        """Return whose a path is.

        Args:
            path: Absolute and cleaned, as the program meant it: not mapped yet.
            changing: Whether the call may change what the path names: writes, creates, removes, W_OK.
        """
        return self._changes(path) if changing else self._reads(path)

    def decide_relative(self, path: bytes) -> Side:
        """Return whose a relative path is whose base directory is local: `LOCAL` or `NOT_FOUND`."""
        return Side.NOT_FOUND if self._not_found.match(_text(path)) else Side.LOCAL

    def leaves_remote(self, path: bytes) -> bool:
        """Whether a `..` of an absolute path, as given, leaves a directory that isn't this machine's.

        Such a directory need not be here, as in `/app/..`: a local call must be given the cleaned path.
        """
        return any(self.decide(directory, False).side is not Side.LOCAL for directory in left_behind(path))

    def _decide(self, asked: bytes, *, changing: bool) -> Verdict:
        text, path = _text(asked), asked
        for mapping in self._mapping:
            if (rewritten := mapping.apply(text)) is not None:
                path = clean(_bytes(rewritten))
                text = _text(path)
                break
        return Verdict(self._side(path, text, changing), path, path != asked)

    def _side(self, path: bytes, text: str, changing: bool) -> Side:  # noqa: FBT001 - as above
        if self._mode is Mode.LOCAL:
            return Side.LOCAL
        if self._not_found.match(text):
            return Side.NOT_FOUND
        remote_for_reading = Side.LOCAL if changing else Side.REMOTE
        if self._read_only.match(text):
            return remote_for_reading
        if self._local.match(text):
            return Side.LOCAL
        if self._default_not_found.match(path):
            return Side.NOT_FOUND
        if self._default_remote.match(path):
            return remote_for_reading
        if self._default_local.match(path) or self._default_local_others.search(path):
            return Side.LOCAL
        return Side.LOCAL if self._mode is Mode.LOCAL_WITH_OVERRIDES else remote_for_reading


class Patterns:
    """A user's patterns, as one search where that means the same."""

    def __init__(self, patterns: Iterable[str]) -> None:
        alone: list[re.Pattern[str]] = []
        joined: list[str] = []
        for pattern in patterns:
            compiled = _compile(pattern)
            # A group is referred to by a number that joining would change.
            if compiled.groups:
                alone.append(compiled)
            else:
                joined.append(pattern)
        if joined:
            try:
                alone.append(_compile("|".join(f"(?:{pattern})" for pattern in joined)))
            except re.error:  # flags for a whole expression stand at its beginning only
                alone += map(_compile, joined)
        self._searches = tuple(compiled.search for compiled in alone)

    def match(self, text: str) -> bool:
        """Whether any of them is found."""
        return any(search(text) for search in self._searches)


class _Mapping:
    """A pattern, and what replaces the first place where it is found."""

    def __init__(self, pattern: str, replacement: str) -> None:
        self._pattern = _compile(pattern)
        self._parts: list[str | int] = []
        """Text, and numbers of groups."""
        end = 0
        for reference in _REFERENCE.finditer(replacement):
            self._parts.append(replacement[end : reference.start()])
            end = reference.end()
            name = reference[1] or reference[2]
            if not name:
                self._parts.append("$")
            elif name.isdecimal():
                self._parts.append(int(name))
            else:
                self._parts.append(self._pattern.groupindex[name])
        self._parts.append(replacement[end:])

    def apply(self, text: str) -> str | None:
        """Return the rewritten text, or None if the pattern isn't found. A group that took no part is empty."""
        if not (found := self._pattern.search(text)):
            return None
        new = "".join(part if isinstance(part, str) else found[part] or "" for part in self._parts)
        return text[: found.start()] + new + text[found.end() :]


def _compile(pattern: str) -> re.Pattern[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the command line compiled it first, and ignored it too
        return re.compile(pattern.translate(_LETTERS), re.IGNORECASE)


def _text(path: bytes) -> str:
    text = path.decode(errors="surrogateescape")
    return text if path.isascii() and b"\n" not in path else text.translate(_STAND_FOR)


def _bytes(text: str) -> bytes:
    if not text.isascii():
        text = text.translate(_BACK)
    return text.encode(errors="surrogateescape")
