"""Objects that a file may have where an option has one text: a target's, and an image's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mirrord_cli import VERSION
from mirrord_cli.config.names import image_fault, tag_fault
from mirrord_cli.config.strangers import stranger
from mirrord_cli.config.target import OBJECT_KEYS
from mirrord_cli.config.values import Problem, kind_of

IMAGE_PARTS: Mapping[str, str] = {"registry": "MIRRORD_AGENT_IMAGE_REGISTRY", "tag": "MIRRORD_AGENT_IMAGE_TAG"}
"""The keys of an image's object, and the variables for what it doesn't say."""
DEFAULT_IMAGE = {"registry": "mirrord-agent", "tag": VERSION}


def image_name(parts: Mapping[str, str]) -> str:
    """Return the image that some of its parts mean."""
    return "{registry}:{tag}".format_map(DEFAULT_IMAGE | dict(parts))


def part_fault(part: str, text: str) -> str:
    """Return why a text can't be that part of an image's name; empty if it can."""
    return (tag_fault if part == "tag" else image_fault)(text)


def target_faults(path: str, value: dict[Any, Any]) -> Iterator[Problem]:
    for name, content in value.items():
        if name not in {*OBJECT_KEYS, "container"}:
            yield from stranger(f"{path}.{name}", content)
    kinds = [name for name in OBJECT_KEYS if value.get(name) is not None]
    if not kinds:
        yield Problem(path, f"{path} names no target.", 'Name one, as in {"deployment": "shop"}.')
    elif len(kinds) > 1:
        yield Problem(path, f"{path} names several targets: {' and '.join(kinds)}.", "Leave all but one out.")
    for name in [*kinds, *(["container"] if value.get("container") is not None else [])]:
        content, words = value[name], "a string"
        if name == "process":
            words, right = "a number", isinstance(content, int | str) and not isinstance(content, bool)
        elif name == "labels":
            words, right = "an object of strings", isinstance(content, dict)
            if right and not all(isinstance(each, str) for pair in content.items() for each in pair):
                right = False
        else:
            right = isinstance(content, str)
        if not right:
            yield Problem(path, f"{path}.{name} must be {words}, not {kind_of(content)}.")


def image_faults(path: str, value: dict[Any, Any]) -> Iterator[Problem]:
    for name, content in value.items():
        if name not in IMAGE_PARTS:
            yield from stranger(f"{path}.{name}", content)
        elif content is not None and not isinstance(content, str):
            yield Problem(path, f"{path}.{name} must be a string, not {kind_of(content)}.")
        elif content is not None and (fault := part_fault(name, content)):
            yield Problem(path, f"{path}.{name}: {content!r}: {fault}.")
