"""What a file, a variable or an option says, against the definition: mistakes with their path, shorthands written out.

Plain values in, plain values out, strict as keys.py has them. Cross-checks between keys are resolve.py's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_origin

from msgspec import Struct

from mirrord_cli.config.key import Key, keys_of
from mirrord_cli.config.keys import Config
from mirrord_cli.config.objects import image_faults, image_name, target_faults
from mirrord_cli.config.strangers import stranger
from mirrord_cli.config.target import OBJECT_KEYS, object_name
from mirrord_cli.config.values import Problem, faults, from_text, kind_of, understood, wanted

OFF: Mapping[str, Mapping[str, Any]] = {
    "feature.env": {"exclude": ["*"]},
    "feature.fs": {"mode": "local"},
    "feature.network": {"incoming": False, "outgoing": False, "dns": False},
    "feature.network.incoming": {"mode": "off"},
    "feature.network.outgoing": {"tcp": False, "udp": False},
    "feature.network.dns": {"enabled": False},
}
"""What `false` means for a section."""


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
    image: dict[str, str] = {}
    """What the object of `agent.image` said, as long as nothing else says the whole."""


def read_tree(tree: object) -> Reading:
    """Read what a file says."""
    reading = Reading()
    if isinstance(tree, dict):
        reading.values = _section(Config, tree, "", reading)
    else:
        reading.problems.append(Problem("", f"The configuration must be an object with keys, not {kind_of(tree)}."))
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
        place = reading.values
        for part in path.split(".")[:-1]:
            place = place.setdefault(part, {})
        _leaf(one.key, from_text(one.key, one.text), place, reading)


def _section(section: type[Struct], tree: dict[Any, Any], above: str, reading: Reading) -> dict[str, Any]:
    found: dict[str, Any] = {}
    keys = {key.path.rpartition(".")[2]: key for key in keys_of(section, above)}
    for name, value in tree.items():
        path = f"{above}.{name}" if above else str(name)
        key = keys.get(name)
        if key is None:
            reading.problems += stranger(path, value)
        elif value is None:
            continue  # as if it weren't there
        elif key.section is None:
            _leaf(key, value, found, reading)
        else:
            inner = _expand(key, value, reading)
            if isinstance(inner, dict):
                found[name] = _section(key.section, inner, path, reading)
            else:
                reading.problems.append(Problem(path, f"{path} must be {wanted(key)}, not {kind_of(value)}."))
    missing = [key.path for name, key in keys.items() if key.required and tree.get(name) is None]
    reading.problems += [Problem(path, f"{path} is missing.") for path in missing]
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
    if "target" in key.shorthand and (
        isinstance(value, str) or (isinstance(value, dict) and OBJECT_KEYS.keys() & value)
    ):
        return {"path": value}
    return value


def _leaf(key: Key, value: Any, place: dict[str, Any], reading: Reading) -> None:
    """Put a key's value where it belongs, in the definition's own words, or tell what is wrong with it."""
    value = understood(key, value)
    problems: list[Problem] = []
    if key.of is not None:
        value, problems = _handed_on(key, key.of, value)
    elif isinstance(value, dict) and "target" in key.shorthand:
        problems += target_faults(key.path, value)
    elif isinstance(value, dict) and "image" in key.shorthand:
        problems += image_faults(key.path, value)
    else:
        problems += faults(key, value)
    reading.problems += problems
    if problems:
        return
    if "image" in key.shorthand:
        reading.image = {part: text for part, text in value.items() if text} if isinstance(value, dict) else {}
        if isinstance(value, dict) and not reading.image:
            return
    place[key.path.rpartition(".")[2]] = _written_out(key, value)


def _handed_on(key: Key, section: type[Struct], value: object) -> tuple[Any, list[Problem]]:
    """Return an object that Kubernetes takes as it is, or a list of them, and what is wrong with it."""
    inner = Reading()
    several = get_origin(key.kind) is list
    if not isinstance(value, list if several else dict):
        return None, [Problem(key.path, f"{key.path} must be {wanted(key)}, not {kind_of(value)}.")]
    found = list[Any]()
    for number, each in enumerate(value if isinstance(value, list) else [value]):
        path = f"{key.path}[{number}]" if several else key.path
        if isinstance(each, dict):
            found.append(_section(section, each, path, inner))
        else:
            inner.problems.append(Problem(path, f"{path} must be an object with keys, not {kind_of(each)}."))
    problems = [Problem(key.path, problem.text, problem.next_step) for problem in inner.problems]
    return (found if several else found[0]), problems


def _written_out(key: Key, value: Any) -> Any:
    if get_origin(key.kind) is list and isinstance(value, str):
        parts = [value] if key.whole else value.split(";")  # names never hold a semicolon; a pattern may
        return [part for part in parts if part]
    if isinstance(value, dict) and "target" in key.shorthand:
        return object_name(value)
    if isinstance(value, dict) and "image" in key.shorthand:
        return image_name({part: text for part, text in value.items() if text})
    return value
