"""Which of the target's variables a session gets: parsing, wildcards, what is never sent. No I/O.

The bytes come from target/driver.py. What becomes of the variables is the command line's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

NEVER = (b"LD_*",)
"""They name libraries and paths of the target's machine for the target's loader."""


def parse(data: bytes) -> list[tuple[bytes, bytes]]:
    """Return the variables of /proc/PID/environ; of a name that is there twice the first, as getenv(3) does."""
    found: dict[bytes, bytes] = {}
    for entry in data.split(b"\0"):
        name, equals, value = entry.partition(b"=")
        if name and equals:
            found.setdefault(name, value)
    return list(found.items())


def select(
    variables: Iterable[tuple[bytes, bytes]], include: Sequence[bytes], exclude: Sequence[bytes]
) -> tuple[tuple[bytes, bytes], ...]:
    """Return the variables to send; an empty `include` means all, and `exclude` goes before it."""

    def wanted(name: bytes) -> bool:
        if any(matches(pattern, name) for pattern in (*NEVER, *exclude)):
            return False
        return not include or any(matches(pattern, name) for pattern in include)

    return tuple((name, value) for name, value in variables if wanted(name))


def matches(pattern: bytes, name: bytes) -> bool:
    """Whether a wildcard (`*`, `?`) fits the whole of a name.

    A regular expression could be made to take for ever; this takes at most the product of both lengths.
    """
    at, place, star, mark = 0, 0, -1, 0
    while place < len(name):
        if at < len(pattern) and pattern[at : at + 1] == b"*":
            star, mark = at, place
            at += 1
        elif at < len(pattern) and pattern[at : at + 1] in {b"?", name[place : place + 1]}:
            at += 1
            place += 1
        elif star >= 0:
            mark += 1
            at, place = star + 1, mark
        else:
            return False
    return pattern[at:].strip(b"*") == b""
