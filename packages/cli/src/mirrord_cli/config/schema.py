"""The JSON schema of configuration files, from the definition in keys.py. Editors complete and check with it."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

from msgspec import Struct, to_builtins

from mirrord_cli.config.key import Key, keys_of
from mirrord_cli.config.keys import Config

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TARGET = {"type": "string", "pattern": "^process/[1-9][0-9]*$"}
PROCESS = {
    "type": "object",
    "properties": {"process": {"type": ["integer", "string"], "description": "The process's number."}},
    "required": ["process"],
    "additionalProperties": False,
}
PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
PORTS = {"type": "array", "items": PORT}
PAIRS = {"type": "array", "items": {"type": "array", "prefixItems": [PORT, PORT], "minItems": 2, "maxItems": 2}}
STRINGS = {"type": "array", "items": {"type": "string"}}


def schema() -> dict[str, Any]:
    """Return the schema as plain values."""
    return {"$schema": DIALECT, "title": "Configuration of mirrord"} | _section(Config, "")


def _section(section: type[Struct], above: str) -> dict[str, Any]:
    keys = {key.path.rpartition(".")[2]: _key(key) for key in keys_of(section, above)}
    return {"type": "object", "properties": keys, "additionalProperties": False}


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
        return shapes + [TARGET, PROCESS] * ("target" in key.shorthand)
    if "target" in key.shorthand:
        return [TARGET, PROCESS]
    if key.kind == list[int]:
        return [PORTS]
    if key.kind == list[tuple[int, int]]:
        return [PAIRS]
    if get_origin(key.kind) is list:
        return [{"type": "string"}, STRINGS]
    return [_shape(key.kind)]


def _shape(kind: Any) -> dict[str, Any]:
    if get_origin(kind) is Literal:
        return {"type": "string", "enum": list(get_args(kind))}
    if get_origin(kind) is dict:
        return {"type": "object", "additionalProperties": {"type": "string"}}
    if kind is float:
        return {"type": "number", "minimum": 0, "maximum": 86400}
    return {"type": "boolean" if kind is bool else "string"}
