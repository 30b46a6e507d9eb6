"""Paths as bytes: cleaning, joining, taking apart. Text only: nothing here looks at a file system.

A cleaned path is absolute and has no empty, `.` or `..` component. Rules (rules.py), the shared table (table.py) and
what is remembered (cache.py) speak of cleaned paths; the target is asked about paths as the program gave them, since
`..` behind a symbolic link is not what the text says.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

ROOT: Final = b"/"
_DOTS: Final = frozenset({b"", b".", b".."})


def is_clean(path: bytes) -> bool:
    """Whether cleaning would leave an absolute path as it is."""
    if path == ROOT:
        return True
    return path.startswith(ROOT) and _DOTS.isdisjoint(path[1:].split(b"/"))


def clean(path: bytes) -> bytes:
    """Return an absolute path without empty and `.` components, `..` applied to the text.

    A `..` in the root is the root. A path that doesn't begin with a slash is taken from the root.
    """
    if is_clean(path):
        return path
    parts: list[bytes] = []
    for part in path.split(b"/"):
        if part not in _DOTS:
            parts.append(part)
        elif part == b".." and parts:
            parts.pop()
    return ROOT + b"/".join(parts)


def follows_text(path: bytes) -> bool:
    """Whether a path has no `..`, so that what it names is what its cleaned form names, but for a trailing slash."""
    return b".." not in path or b".." not in path.split(b"/")


def left_behind(path: bytes) -> Iterator[bytes]:
    """Go through the directories that the `..` of an absolute path lead out of; cleaned."""
    if follows_text(path):
        return
    parts = path.split(b"/")
    for index, part in enumerate(parts):
        if part == b"..":
            yield clean(b"/".join(parts[:index]))


def join(base: bytes, path: bytes) -> bytes:
    """Return a path as seen from a directory: itself if it is absolute. Nothing is cleaned."""
    if path.startswith(ROOT):
        return path
    return base + path if base.endswith(ROOT) else base + ROOT + path


def split(path: bytes) -> tuple[bytes, bytes]:
    """Take the last component off a cleaned path; the root gives itself and nothing."""
    parent, _, name = path.rpartition(ROOT)
    return parent or ROOT, name


def parents(path: bytes) -> Iterator[bytes]:
    """Go through the directories above a cleaned path, the nearest first, the root last."""
    while path != ROOT:
        path = split(path)[0]
        yield path


def is_below(path: bytes, directory: bytes) -> bool:
    """Whether a cleaned path is a cleaned directory's or of something in it, however deep."""
    if not path.startswith(directory):
        return False
    return len(path) == len(directory) or directory == ROOT or path[len(directory) : len(directory) + 1] == ROOT
