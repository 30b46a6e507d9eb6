"""What a file, a variable or an option says, against the definition: mistakes with their path, shorthands written out.

Plain values in, plain values out, strict as keys.py has them. Cross-checks between keys are resolve.py's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, get_args, get_origin

from msgspec import Struct

from mirrord_cli.config import known
from mirrord_cli.config.key import Key, keys_of
from mirrord_cli.config.keys import Config, all_keys

CORRECT = "Correct or remove it; `mirrord verify-config --schema` prints all keys."
OFF: Mapping[str, Mapping[str, Any]] = {
    "feature.env": {"exclude": ["*"]},
    "feature.fs": {"mode": "local"},
    "feature.network": {"incoming": False, "outgoing": False, "dns": False},
    "feature.network.incoming": {"mode": "off"},
    "feature.network.outgoing": {"tcp": False, "udp": False},
    "feature.network.dns": {"enabled": False},
}
"""What `false` means for a section."""
INCOMING_MODE = "feature.network.incoming.mode"
SWITCHES = {"true": True, "1": True, "false": False, "0": False}
MOST_PORT = 65535
PAIR = "Write pairs like [[8080, 80]]."
LIKE = 0.6  # how alike a suggestion must be: `evn` and `env` are 0.67


class Problem(Struct, frozen=True):
    """A mistake: where it is, a sentence that begins there, and what to do."""

    path: str
    text: str
    next_step: str = CORRECT


class Said(Struct, frozen=True):
    """A text for one key that isn't from the file: a variable's or an option's."""

    key: Key
    text: str
    origin: str
    """As people know it: `the variable X`, `the option --x`."""


class Reading(Struct):
    """The values found so far, and what is wrong with them."""

    values: dict[str, Any] = {}
    problems: list[Problem] = []
    off: set[str] = set()
    """Sections that were switched off with `false`."""


def read_tree(tree: object) -> Reading:
    """Read what a file says."""
    reading = Reading()
    if isinstance(tree, dict):
        reading.values = _section(Config, tree, "", reading)
    else:
        reading.problems.append(Problem("", f"The configuration must be an object with keys, not {_kind_of(tree)}."))
    return reading


def overlay(reading: Reading, said: Mapping[str, Said]) -> None:
    """Lay the values of variables and options over the file's."""
    if "feature.env" in reading.off and "feature.env.include" in said:
        # What was named last counts: nothing, but these.
        del reading.values["feature"]["env"]["exclude"]
    for path, one in said.items():
        if one.key.section:  # a flag that switches it off
            value = dict(OFF[path])
            place = reading.values
            for part in path.split("."):
                place = place.setdefault(part, {})
            place |= value
            continue
        value = _from_text(one.key, one.text)
        problems = list(_leaf(one.key, value))
        reading.problems += problems
        if not problems:
            *above, name = path.split(".")
            place = reading.values
            for part in above:
                place = place.setdefault(part, {})
            place[name] = _written_out(one.key, value)


def _section(section: type[Struct], tree: dict[Any, Any], above: str, reading: Reading) -> dict[str, Any]:
    found: dict[str, Any] = {}
    keys = {key.path.rpartition(".")[2]: key for key in keys_of(section, above)}
    for name, value in tree.items():
        path = f"{above}.{name}" if above else str(name)
        key = keys.get(name)
        if key is None:
            reading.problems += _stranger(path, value)
        elif value is None:
            continue  # as if it weren't there
        elif key.section is None:
            problems = list(_leaf(key, value))
            reading.problems += problems
            if not problems:
                found[name] = _written_out(key, value)
        else:
            inner = _expand(key, value, reading)
            if isinstance(inner, dict):
                found[name] = _section(key.section, inner, path, reading)
            else:
                reading.problems.append(Problem(path, f"{path} must be {_wanted(key)}, not {_kind_of(value)}."))
    return found


def _expand(key: Key, value: object, reading: Reading) -> object:
    """Write a section's shorthand out."""
    if isinstance(value, bool) and "switch" in key.shorthand:
        if value:
            return {}
        reading.off.add(key.path)
        return dict(OFF[key.path])
    if isinstance(value, str) and "mode" in key.shorthand:
        return {"mode": value}
    if "target" in key.shorthand and (isinstance(value, str) or (isinstance(value, dict) and "process" in value)):
        return {"path": value}
    return value


def _written_out(key: Key, value: Any) -> Any:
    if get_origin(key.kind) is list and isinstance(value, str):
        parts = [value] if key.whole else value.split(";")  # names never hold a semicolon; a pattern may
        return [part for part in parts if part]
    if isinstance(value, dict) and "target" in key.shorthand:
        return f"process/{value['process']}"
    return value


def _leaf(key: Key, value: Any) -> Iterator[Problem]:
    """Yield what is wrong with a value of a key that has no keys of its own."""
    kind, path = key.kind, key.path
    wrong = Problem(path, f"{path} must be {_wanted(key)}, not {_kind_of(value)}.")
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
    elif get_origin(kind) is list and get_origin(get_args(kind)[0]) is tuple:
        if not isinstance(value, list):
            yield wrong
            return
        for number, pair in enumerate(value):
            if not isinstance(pair, list) or len(pair) != 2:
                yield Problem(path, f"{path}[{number}] must be a pair of ports, not {_kind_of(pair)}.", PAIR)
            else:
                yield from _ports(f"{path}[{number}]", pair)
    elif get_origin(kind) is list:
        values = value if isinstance(value, list) else [value]
        for number, each in enumerate(values):
            if not isinstance(each, str):
                yield Problem(path, f"{path}[{number}] must be a string, not {_kind_of(each)}.")
            else:
                yield from _bytes_only(path, each)
    elif get_origin(kind) is dict:
        if not isinstance(value, dict):
            yield wrong
            return
        for name, each in value.items():
            if not isinstance(name, str) or not isinstance(each, str):
                what = each if isinstance(name, str) else name
                yield Problem(path, f"{path}.{name} must be a string, not {_kind_of(what)}.", "Put it in quotes.")
            else:
                yield from _bytes_only(f"{path}.{name}", name + each)
    elif "target" in key.shorthand and isinstance(value, dict):
        yield from _target_object(path, value)
    elif kind is float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            yield wrong
        elif not 0 <= value <= 86400:
            yield Problem(path, f"{path} must be between 0 and 86400 seconds, not {value}.")
    elif kind is bool:
        if not isinstance(value, bool):
            yield wrong
    elif not isinstance(value, str):
        yield wrong
    else:
        yield from _bytes_only(path, value)


def _ports(path: str, values: list[Any]) -> Iterator[Problem]:
    for number, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_PORT:
            found = f"{path}[{number}] must be a port, a number from 1 to {MOST_PORT}, not {_kind_of(value)}."
            yield Problem(path.partition("[")[0], found)


def _bytes_only(path: str, value: str) -> Iterator[Problem]:
    """Yield why a text can't be a path's or a variable's."""
    if "\0" in value:
        yield Problem(path, f"{path} holds a NUL character, which no path and no variable can.")
    if any("\ud800" <= character <= "\udfff" and not "\udc80" <= character <= "\udcff" for character in value):
        yield Problem(path, f"{path} holds half a character (a lone surrogate), which no path and no variable can.")


def _target_object(path: str, value: dict[Any, Any]) -> Iterator[Problem]:
    for name, content in value.items():
        if name != "process":
            yield from _stranger(f"{path}.{name}", content)
    number = value.get("process")
    if "process" not in value:
        if not value:
            yield Problem(path, f"{path} names no target.", "Name a process: {'process': PID}.")
    elif isinstance(number, bool) or not isinstance(number, int | str):
        yield Problem(path, f"{path}.process must be a number, not {_kind_of(number)}.")


def _stranger(path: str, value: object) -> Iterator[Problem]:
    """Yield what to say of a key that the definition doesn't have."""
    if path in known.KEYS:
        if value is None or any(type(value) is type(so) and value == so for so in known.ALREADY_SO.get(path, ())):
            return
        inner = [known_path for known_path in known.ALREADY_SO if known_path.startswith(f"{path}.")]
        if inner and isinstance(value, dict):
            for each, content in value.items():
                yield from _stranger(f"{path}.{each}", content)
            return
        yield Problem(path, f"{path} is not supported yet.", "Remove it, or wait for a later version.")
        return
    if nearest := suggest(path):
        hint = f" Did you mean {nearest}?" + (" (That is not supported yet.)" if nearest in known.KEYS else "")
    else:
        hint = ""
    yield Problem(path, f"There is no key {path}.{hint}")


def suggest(path: str) -> str | None:
    """Return the known key that a mistyped or misplaced one comes nearest to."""
    from difflib import get_close_matches

    above, _, name = path.rpartition(".")
    places = [key.path for key in all_keys()] + sorted(known.KEYS)
    beside = {place.rpartition(".")[2]: place for place in reversed(places) if place.rpartition(".")[0] == above}
    if close := get_close_matches(name.lower(), beside, 1, LIKE):
        return beside[close[0]]
    elsewhere = {place.rpartition(".")[2]: place for place in reversed(places)}
    return elsewhere.get(name.lower())


def _from_text(key: Key, text: str) -> Any:
    """Return the value that a variable's or option's text means; what it can't mean stays a text."""
    if get_origin(key.kind) is list:
        return [part for part in text.split(";") if part]
    if key.kind is bool:
        return SWITCHES.get(text.lower(), text)
    if key.path == INCOMING_MODE and text.lower() in SWITCHES:
        return "steal" if SWITCHES[text.lower()] else "off"
    if key.kind is float:
        try:
            return float(text)
        except ValueError:
            return text
    return text


def _wanted(key: Key) -> str:
    names = {bool: "true or false", float: "a number of seconds"}
    if key.section:
        words = ["an object with keys"]
        words += ["true or false"] * ("switch" in key.shorthand) + ["a mode"] * ("mode" in key.shorthand)
        words += ["a target"] * ("target" in key.shorthand)
        return _or(words)
    if key.kind == list[int]:
        return "a list of ports"
    if key.kind == list[tuple[int, int]]:
        return "a list of pairs of ports"
    if get_origin(key.kind) is list:
        return "a string or a list of strings"
    if get_origin(key.kind) is dict:
        return "an object of strings"
    if get_origin(key.kind) is Literal:
        return _or(map(repr, get_args(key.kind)))
    if "target" in key.shorthand:
        return "a target"
    return names.get(key.kind, "a string")


def _or(words: Any) -> str:
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else str(last)


def _kind_of(value: object) -> str:
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
