"""The JSON schema of configuration files, from the definition in keys.py. Editors complete and check with it."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

from msgspec import Struct, to_builtins

from mirrord_cli.config.key import Key, keys_of
from mirrord_cli.config.keys import Config
from mirrord_cli.config.target import ALIASES, LABEL, NAMED, OBJECT_KEYS, TARGETLESS

DIALECT = "https://json-schema.org/draft/2020-12/schema"
STRING = {"type": "string"}
OBJECT_OF_STRINGS = {"type": "object", "additionalProperties": STRING}
TARGET = {
    "type": "string",
    "pattern": f"^(process/[1-9][0-9]*|({'|'.join((*NAMED, *ALIASES, LABEL))})/.+|{TARGETLESS})$",
}
PROCESS = {
    "type": "object",
    "properties": {"process": {"type": ["integer", "string"], "description": "The process's number."}},
    "required": ["process"],
    "additionalProperties": False,
}
OBJECTS: list[dict[str, Any]] = [
    {
        "type": "object",
        "properties": {
            key: {"description": f"The {'labels of the pods' if kind == LABEL else f'name of the {kind}'}."}
            | (OBJECT_OF_STRINGS if kind == LABEL else STRING),
            "container": {"type": ["string", "null"], "description": "The container's name."},
        },
        "required": [key],
        "additionalProperties": False,
    }
    for key, kind in OBJECT_KEYS.items()
    if kind != "process"
]
TARGETS: list[dict[str, Any]] = [TARGET, PROCESS, *OBJECTS]
IMAGE = {
    "type": "object",
    "properties": {
        "registry": {"type": ["string", "null"], "description": "The image's name, without the tag."},
        "tag": {"type": ["string", "null"], "description": "The image's tag."},
    },
    "additionalProperties": False,
}
PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
PORTS = {"type": "array", "items": PORT}
PAIRS = {"type": "array", "items": {"type": "array", "prefixItems": [PORT, PORT], "minItems": 2, "maxItems": 2}}


def schema() -> dict[str, Any]:
    """Return the schema as plain values."""
    return {"$schema": DIALECT, "title": "Configuration of mirrord"} | _section(Config, "")


def _section(section: type[Struct], above: str) -> dict[str, Any]:
    keys = {key.path.rpartition(".")[2]: key for key in keys_of(section, above)}
    found = {"type": "object", "properties": {name: _key(key) for name, key in keys.items()}}
    required = [name for name, key in keys.items() if key.required]
    return found | {"additionalProperties": False} | ({"required": required} if required else {})


def _key(key: Key) -> dict[str, Any]:
    shapes = _shapes(key)
    shape = shapes[0] if len(shapes) == 1 else {"anyOf": shapes}
    found = {"description": key.description} | shape
    default = to_builtins(key.default)
    return found if key.section or default is None else found | {"default": default}


def _shapes(key: Key) -> list[dict[str, Any]]:
    if key.section:
        shapes = [_section(key.section, key.path)]
        if "switch" in key.shorthand:
            shapes.append({"type": "boolean"})
        if "mode" in key.shorthand:
            shapes += [_shape(inner.kind) for inner in keys_of(key.section) if inner.path == "mode"]
        return shapes + TARGETS * ("target" in key.shorthand)
    if "target" in key.shorthand:
        return TARGETS
    if "image" in key.shorthand:
        return [STRING, IMAGE]
    if key.of:
        shape = _section(key.of, key.path)
        return [{"type": "array", "items": shape} if get_origin(key.kind) is list else shape]
    if key.kind == list[int]:
        return [PORTS]
    if key.kind == list[tuple[int, int]]:
        return [PAIRS]
    if get_origin(key.kind) is list:
        words = _shape(get_args(key.kind)[0])
        return [STRING, {"type": "array", "items": words}]
    if key.kind in {int, float}:
        bounds = {"minimum": key.least, "maximum": key.most}
        return [{"type": "integer" if key.kind is int else "number"} | bounds]
    if key.form == "quantities":
        return [{"type": "object", "additionalProperties": {"type": ["string", "number"]}}]
    return [_shape(key.kind)]


def _shape(kind: Any) -> dict[str, Any]:
    if get_origin(kind) is Literal:
        return {"type": "string", "enum": list(get_args(kind))}
    if get_origin(kind) is dict:
        return OBJECT_OF_STRINGS
    return {"type": "boolean"} if kind is bool else STRING
