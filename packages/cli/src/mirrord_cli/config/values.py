"""What is wrong with the value of one key, by the key's note, and how to say it. Sections and shorthands are tree.py's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, get_args, get_origin

from msgspec import Struct

from mirrord_cli.config import known
from mirrord_cli.config.key import Key
from mirrord_cli.config.names import OBJECTS, TEXTS

CORRECT = "Correct or remove it; `mirrord verify-config --schema` prints all keys."
INCOMING_MODE = "feature.network.incoming.mode"
SWITCHES = {"true": True, "1": True, "false": False, "0": False}
MOST_PORT = 65535
PAIR = "Write pairs like [[8080, 80]]."
SYNONYMS: Mapping[str, Mapping[str, str]] = {
    "agent.log_level": {"trace": "debug", "warn": "warning"},
    "agent.disabled_capabilities": {
        f"CAP_{name}": name for name in ("NET_ADMIN", "NET_RAW", "SYS_PTRACE", "SYS_ADMIN")
    },
}
"""Other words for the same, by key."""


class Problem(Struct, frozen=True):
    """A mistake: where it is, a sentence that begins there, and what to do."""

    path: str
    text: str
    next_step: str = CORRECT


def understood(key: Key, value: Any) -> Any:
    """Return a value in the definition's own words: synonyms, and quantities that are numbers."""
    synonyms = SYNONYMS.get(key.path, {})
    if isinstance(value, str):
        return synonyms.get(value, value)
    if isinstance(value, list) and synonyms:
        return [understood(key, each) for each in value]
    if isinstance(value, dict) and key.form == "quantities":
        numbers = {name for name, each in value.items() if isinstance(each, int | float) and not isinstance(each, bool)}
        return {name: str(each) if name in numbers else each for name, each in value.items()}
    return value


def from_text(key: Key, text: str) -> Any:
    """Return the value that a variable's or option's text means; what it can't mean stays a text."""
    if get_origin(key.kind) is list:
        return [part for part in text.split(";") if part]
    if key.kind is bool:
        return SWITCHES.get(text.lower(), text)
    if key.path == INCOMING_MODE and text.lower() in SWITCHES:
        return "steal" if SWITCHES[text.lower()] else "off"
    if key.kind is int:
        return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text, re.ASCII) else text
    if key.kind is float:
        try:
            return float(text)
        except ValueError:
            return text
    return text


def faults(key: Key, value: Any) -> Iterator[Problem]:
    """Yield what is wrong with a value of a key that has no keys of its own."""
    kind, path = key.kind, key.path
    wrong = Problem(path, f"{path} must be {wanted(key)}, not {kind_of(value)}.")
    if get_origin(kind) is Literal:
        if not isinstance(value, str):
            yield wrong
        elif path == "feature.fs.mode" and value in known.MODES:
            yield Problem(
                path,
                f"{path}: {value!r} is not supported yet: files are read from the target, never written to it.",
                "Use the mode `read`.",
            )
        elif value not in get_args(kind):
            yield wrong
    elif kind == list[int]:
        yield from [wrong] if not isinstance(value, list) else _ports(path, value)
    elif get_origin(kind) is list:
        yield from _list(key, value, wrong)
    elif get_origin(kind) is dict:
        yield from _object(key, value, wrong)
    elif kind in {int, float}:
        yield from _number(key, value, wrong)
    elif kind is bool:
        if not isinstance(value, bool):
            yield wrong
    elif not isinstance(value, str):
        yield wrong
    else:
        yield from _bytes_only(path, value)
        if key.form and (fault := TEXTS[key.form](value)):
            yield Problem(path, f"{path}: {value!r}: {fault}.")


def _list(key: Key, value: Any, wrong: Problem) -> Iterator[Problem]:
    path, (inner,) = key.path, get_args(key.kind)
    if get_origin(inner) is tuple:
        if not isinstance(value, list):
            yield wrong
            return
        for number, pair in enumerate(value):
            if not isinstance(pair, list) or len(pair) != 2:
                yield Problem(path, f"{path}[{number}] must be a pair of ports, not {kind_of(pair)}.", PAIR)
            else:
                yield from _ports(f"{path}[{number}]", pair)
        return
    for number, each in enumerate(value if isinstance(value, list) else [value]):
        if get_origin(inner) is Literal:
            if each not in get_args(inner):
                words = one_of(map(repr, get_args(inner)))
                yield Problem(path, f"{path}[{number}] must be {words}, not {kind_of(each)}.")
        elif not isinstance(each, str):
            yield Problem(path, f"{path}[{number}] must be a string, not {kind_of(each)}.")
        else:
            yield from _bytes_only(path, each)


def _object(key: Key, value: Any, wrong: Problem) -> Iterator[Problem]:
    path = key.path
    if not isinstance(value, dict):
        yield wrong
        return
    bad = False
    for name, each in value.items():
        if not isinstance(name, str) or not isinstance(each, str):
            bad, what = True, each if isinstance(name, str) else name
            yield Problem(path, f"{path}.{name} must be a string, not {kind_of(what)}.", "Put it in quotes.")
        else:
            yield from _bytes_only(f"{path}.{name}", name + each)
    if key.form and not bad and (fault := OBJECTS[key.form](value)):
        yield Problem(path, f"{path}: {fault}.")


def _number(key: Key, value: Any, wrong: Problem) -> Iterator[Problem]:
    if isinstance(value, bool) or not isinstance(value, int if key.kind is int else int | float):
        yield wrong
    elif key.least is not None and key.most is not None and not key.least <= value <= key.most:
        unit = " seconds" if key.kind is float else ""
        yield Problem(key.path, f"{key.path} must be between {key.least} and {key.most}{unit}, not {value}.")


def _ports(path: str, values: list[Any]) -> Iterator[Problem]:
    for number, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_PORT:
            found = f"{path}[{number}] must be a port, a number from 1 to {MOST_PORT}, not {kind_of(value)}."
            yield Problem(path.partition("[")[0], found)


def _bytes_only(path: str, value: str) -> Iterator[Problem]:
    """Yield why a text can't be a path's or a variable's."""
    if "\0" in value:
        yield Problem(path, f"{path} holds a NUL character, which no path and no variable can.")
    if any("\ud800" <= character <= "\udfff" and not "\udc80" <= character <= "\udcff" for character in value):
        yield Problem(path, f"{path} holds half a character (a lone surrogate), which no path and no variable can.")


def wanted(key: Key) -> str:
    """Return what may stand there, in words."""
    if key.section:
        words = ["an object with keys"]
        words += ["true or false"] * ("switch" in key.shorthand) + ["a mode"] * ("mode" in key.shorthand)
        words += ["a target"] * ("target" in key.shorthand)
        return one_of(words)
    if key.of:
        return "a list of objects" if get_origin(key.kind) is list else "an object with keys"
    if key.kind == list[int]:
        return "a list of ports"
    if key.kind == list[tuple[int, int]]:
        return "a list of pairs of ports"
    if get_origin(key.kind) is list:
        return "a string or a list of strings"
    if get_origin(key.kind) is dict:
        return "an object of strings"
    if get_origin(key.kind) is Literal:
        return one_of(map(repr, get_args(key.kind)))
    if "target" in key.shorthand:
        return "a target"
    if "image" in key.shorthand:
        return "an image's name or an object with keys"
    return {bool: "true or false", int: "a whole number", float: "a number of seconds"}.get(key.kind, "a string")


def one_of(words: Iterable[str]) -> str:
    """Return an enumeration of alternatives."""
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else str(last)


def kind_of(value: object) -> str:
    """Return what a value is, in words."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case int() | float():
            return f"the number {value}"
        case str():
            return f"{value!r}"
        case list():
            return "a list"
        case dict():
            return "an object"
    return "a date or time"  # what TOML and YAML have besides
