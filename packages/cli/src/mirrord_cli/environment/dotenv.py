r"""Reads dotenv files: `NAME=value` lines, as people write them for many tools.

- `export` before a name, blank lines, and comments from `#` (in a value only after a blank) are left out.
- Without quotes a value ends with its line, and blanks around it don't count.
- Within single quotes all is literal; within double quotes `\n`, `\r`, `\t`, `\"`, `\\`, `\$` mean what they do
  elsewhere. Quoted values may go over several lines.
- `$NAME` and `${NAME}` stand for a variable set earlier in the file, else for one of the developer's, else for
  nothing; not within single quotes, and not behind a backslash.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

NAME = re.compile(r"(?:export[ \t]+)?([A-Za-z_][\w.-]*)[ \t]*=[ \t]*", re.ASCII)
EXPORT_ONLY = re.compile(r"export[ \t]+[\w.\- \t]+(?=\n|\Z)", re.ASCII)
BLANK = re.compile(r"(?:\s|#[^\n]*)*")
SINGLE = re.compile(r"'([^']*)'")
DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
PLAIN = re.compile(r"[^\n]*")
COMMENT = re.compile(r"(?:^|[ \t])#.*")
END = re.compile(r"[ \t]*(?:#[^\n]*)?(?=\n|\Z)")
REFERENCE = re.compile(
    r"\\(?P<escaped>.)|\$(?:(?P<bare>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_][\w.]*)\})", re.ASCII | re.DOTALL
)
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$", "'": "'", "`": "`"}


class BadLine(ValueError):
    """A line that sets no variable; says which and why."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(f"line {line}: {why}")


def parse_dotenv(data: bytes, variables: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Return the variables that a file sets; `variables` are the developer's.

    Raises:
        BadLine: It isn't such a file.
    """
    text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    known = {_text(name): _text(value) for name, value in variables.items()}
    found: dict[str, str] = {}
    position = _skip(BLANK, text, 0)
    while position < len(text):
        name = NAME.match(text, position)
        if name is None:
            if lone := EXPORT_ONLY.match(text, position):  # exports what is set already
                position = _skip(BLANK, text, lone.end())
                continue
            raise BadLine(text.count("\n", 0, position) + 1, "it is not of the form NAME=value")
        value, position = _value(text, name.end(), known | found)
        if "\0" in value:
            raise BadLine(text.count("\n", 0, name.start()) + 1, "the value holds a NUL character")
        found[name[1]] = value
        position = _skip(BLANK, text, position)
    return {name.encode(): value.encode("utf-8", "surrogateescape") for name, value in found.items()}


def _value(text: str, start: int, known: Mapping[str, str]) -> tuple[str, int]:
    """Return the value that begins there, and where it ends."""
    quote = text[start : start + 1]
    if quote not in {"'", '"'}:
        plain = PLAIN.match(text, start)
        assert plain
        return _expand(COMMENT.sub("", plain[0]).strip(), known, {"$": "$"}), plain.end()
    line = text.count("\n", 0, start) + 1
    quoted = (SINGLE if quote == "'" else DOUBLE).match(text, start)
    if quoted is None:
        raise BadLine(line, f"the {quote} is never closed")
    end = END.match(text, quoted.end())
    if end is None:
        raise BadLine(text.count("\n", 0, quoted.end()) + 1, f"something follows the closing {quote}")
    return (quoted[1] if quote == "'" else _expand(quoted[1], known, ESCAPES)), end.end()


def _expand(value: str, known: Mapping[str, str], escapes: Mapping[str, str]) -> str:
    def one(match: re.Match[str]) -> str:
        if match["escaped"]:
            return escapes.get(match["escaped"], match[0])
        return known.get(match["bare"] or match["braced"], "")

    return REFERENCE.sub(one, value)


def _skip(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")
