"""Writes the tables of docs/configuration.md from the definition of the keys and its neighbours.

`./hatchw run keys` after a change of packages/cli/src/mirrord_cli/config/keys.py or network_keys.py; tests/architecture sees when it was
forgotten. What stands outside the marks is written by hand.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args, get_origin

from mirrord_cli.config import known
from mirrord_cli.config.key import Key, keys_of
from mirrord_cli.config.keys import BUILD_TOOLS, all_keys
from mirrord_cli.environment.excludes import BUILT_IN
from mirrord_cli.errors import EXIT_CODES

PAGE = Path(__file__).parent.parent / "docs" / "configuration.md"
MARKED = re.compile(r"(<!-- (\w+) -->\n).*?(<!-- /\2 -->)", re.DOTALL)
WORDS = {"switch": "bool", "mode": "mode", "target": "target"}


def kind(key: Key) -> str:
    """What may stand there, in a word or two."""
    if key.section:
        return " or ".join(["object", *(WORDS[each] for each in key.shorthand)])
    if "target" in key.shorthand:
        return "target or object"
    if "image" in key.shorthand:
        return "string or `{registry, tag}`"
    if key.of:
        inner = ", ".join(each.path.rpartition(".")[2] for each in keys_of(key.of, key.path))
        return f"list of `{{{inner}}}`" if get_origin(key.kind) is list else f"`{{{inner}}}`"
    if key.kind == list[int]:
        return "ports"
    if key.kind == list[tuple[int, int]]:
        return "pairs of ports"
    if get_origin(key.kind) is list:
        words = get_args(get_args(key.kind)[0])
        return f"strings: {' '.join(f'`{each}`' for each in words)}" if words else "strings"
    if get_origin(key.kind) is dict:
        return "object of strings"
    if get_origin(key.kind) is Literal:
        return " ".join(f"`{each}`" for each in get_args(key.kind))
    if key.kind is int:
        return f"{key.least} to {key.most}"
    return {bool: "bool", float: "seconds"}.get(key.kind, "string")


def default(key: Key) -> str:
    """The default, or nothing where that is nothing."""
    if key.section or key.default is None or key.default in ([], {}):
        return ""
    return f"`{str(key.default).lower() if isinstance(key.default, bool) else key.default}`"


def rows() -> Iterator[str]:
    """The table of keys."""
    yield "| key | may be | default | option, variable | meaning |"
    yield "|---|---|---|---|---|"
    for key in all_keys():
        ways = ", ".join(f"`{each}`" for each in (*key.option, key.variable) if each)
        yield f"| `{key.path}` | {kind(key)} | {default(key)} | {ways} | {key.description} |"


def so_already() -> Iterator[str]:
    """The keys that aren't built, with the values that are taken all the same."""
    for path, values in known.ALREADY_SO.items():
        words = ", ".join("`false`" if value is False else f"`{json.dumps(value)}`" for value in values)
        yield f"- `{path}`: {words}"


def page(text: str) -> str:
    """The page's text with its marked parts made anew."""
    parts = {
        "keys": "\n".join(rows()),
        "excludes": ", ".join(f"`{name.decode()}`" for name in BUILT_IN) + ".",
        "tools": ", ".join(f"`{name}`" for name in BUILD_TOOLS) + ".",
        "already": "\n".join(so_already()),
        "exits": "\n".join(
            ["| category | exit code |", "|---|---|", *(f"| {word} | {code} |" for word, code in EXIT_CODES.items())]
        ),
    }
    return MARKED.sub(lambda match: f"{match[1]}{parts[match[2]]}\n{match[3]}", text)


def main() -> int:
    """Write the page; the process's exit code."""
    PAGE.write_text(page(PAGE.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
