"""Patterns of paths and names: what mirrord's files may write, and whether it can be compiled.

Patterns reach the session as Python's `re` reads them; the few spellings that differ are translated here.
"""

from __future__ import annotations

import re
import warnings

FLAGS = re.IGNORECASE
GROUP = re.compile(r"\(\?<(?=[A-Za-z_])")
REFERENCE = re.compile(r"\$\$|\$(?:(\w+)|\{(\w+)\})", re.ASCII)


class BadPattern(ValueError):
    """It can't be compiled; says why."""


def translate(pattern: str) -> str:
    r"""Return a pattern with the spellings of Python: `(?<name>` becomes `(?P<name>`, `\z` becomes `\Z`.

    Raises:
        BadPattern: It can't be compiled.
    """
    parts = re.split(r"(\\.)", pattern, flags=re.DOTALL)  # escapes are every second part
    for index, part in enumerate(parts):
        parts[index] = GROUP.sub("(?P<", part) if index % 2 == 0 else (r"\Z" if part == r"\z" else part)
    text = "".join(parts)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # `[[` and `--` will mean more in some later version
        try:
            re.compile(text, FLAGS)
        except (re.error, RecursionError, OverflowError) as error:
            raise BadPattern(str(error)) from None
    return text


def check_replacement(pattern: str, replacement: str) -> None:
    """See that a replacement refers only to groups that its (translated) pattern has.

    Raises:
        BadPattern: It refers to another.
    """
    compiled = re.compile(pattern, FLAGS)
    for match in REFERENCE.finditer(replacement):
        name = match[1] or match[2]
        if name and name not in compiled.groupindex and not (name.isdecimal() and int(name) <= compiled.groups):
            raise BadPattern(f"{match[0]} refers to a group that the pattern doesn't have")
