"""The schema, loaded by pycapnp, and what can be computed from it alone: names and layouts.

Values are in values.py, their bytes in messages.py, the C face in cgen.py. Nothing here knows a message by name.
"""

from __future__ import annotations

import functools
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import capnp

SCHEMA_NAME = "mirrord.capnp"
CODES = {
    "bool": ("B", 8), "uint8": ("B", 8), "uint16": ("H", 16), "uint32": ("I", 32), "uint64": ("Q", 64),
    "int8": ("b", 8), "int16": ("h", 16), "int32": ("i", 32), "int64": ("q", 64), "enum": ("H", 16),
}  # fmt: skip
"""Of each plain Cap'n Proto type: its code in `struct` and its width in bits (a bool is read as the byte it is in)."""


def schema_path() -> Path:
    """Return the path of the schema: inside an installed package, or beside the sources in a checkout."""
    here = Path(__file__).parent
    installed = here / "schema" / SCHEMA_NAME
    return installed if installed.exists() else here.parent.parent / "schema" / SCHEMA_NAME


@functools.cache
def load() -> Any:
    """Return the schema as pycapnp's module; raises capnp.KjException if it can't be read."""
    return capnp.load(str(schema_path()))


def snake(name: str) -> str:
    """Return a schema's camelCase name in snake_case."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


@dataclass(frozen=True, slots=True)
class Field:
    """A plain field of a struct."""

    name: str
    """In snake_case; a group's fields are `group.field`."""
    schema_name: str
    """As the schema has it."""
    kind: str
    """A key of CODES."""
    offset: int
    """In bits from the start of the data section."""
    enum: str
    """The name of its enum, else empty."""

    @property
    def byte(self) -> int:
        return self.offset // 8


@functools.cache
def nodes() -> dict[int, Any]:
    """Return all nodes of the schema by id, enums, structs and groups alike."""
    known: dict[int, Any] = {}

    def visit(wrapper: Any) -> None:
        node = wrapper.schema.node
        if node.id in known:
            return
        known[node.id] = node
        for nested in node.nestedNodes:
            visit(getattr(wrapper, nested.name))
        if node.which() == "struct":
            for member in wrapper.schema.fields.values():
                if member.proto.which() == "group":
                    known[member.proto.group.typeId] = member.schema.node

    module = load()
    for name in vars(module):
        wrapper = getattr(module, name)
        if hasattr(wrapper, "schema"):
            visit(wrapper)
    return known


def enumerants(node: Any) -> tuple[str, ...]:
    """Return an enum node's names in the order of their numbers."""
    return tuple(str(item.name) for item in node.enum.enumerants)


def short_name(node: Any) -> str:
    """Return a node's own name, without those of its file and scopes."""
    return str(node.displayName)[node.displayNamePrefixLength :]


def plain_fields(node: Any, prefix: str = "") -> Iterator[Field]:
    """Yield the plain fields of a struct node, those of its groups too; pointers are left out."""
    for member in node.struct.fields:
        name = prefix + snake(member.name)
        if member.which() == "group":
            yield from plain_fields(nodes()[member.group.typeId], name + ".")
            continue
        kind = member.slot.type.which()
        if kind not in CODES:
            continue
        if getattr(member.slot.defaultValue, str(kind)):
            raise ValueError(f"{node.displayName}.{member.name}: defaults other than zero are not supported")
        width = 1 if kind == "bool" else CODES[kind][1]
        enum = short_name(nodes()[member.slot.type.enum.typeId]) if kind == "enum" else ""
        yield Field(name, str(member.name), str(kind), member.slot.offset * width, enum)


class Flat:
    """The bytes of a struct without pointers: its message in a single segment, packed and unpacked in one step."""

    def __init__(self, node: Any) -> None:
        if node.struct.pointerCount:
            raise ValueError(f"{node.displayName} has pointers")
        fields = sorted(plain_fields(node), key=lambda field: field.offset)
        words = node.struct.dataWordCount
        form, at = "<", 0
        for field in fields:
            code, width = CODES[field.kind]
            if field.byte < at or (field.kind == "bool" and field.offset % 8):
                raise ValueError(f"{node.displayName}: more than one bool in a byte is not supported")
            form += f"{field.byte - at}x{code}"
            at = field.byte + width // 8
        self.names = tuple(field.name for field in fields)
        """Fields in the order of their bytes, as `pack` takes and `unpack` gives them."""
        self.body = struct.Struct(form + f"{words * 8 - at}x")
        self.prefix = struct.pack("<IIII", 0, words + 1, 0, words)
        self.size = len(self.prefix) + self.body.size

    def pack(self, values: tuple[int, ...]) -> bytes:
        """Return the message; raises struct.error for a number that doesn't fit."""
        return self.prefix + self.body.pack(*values)

    def unpack(self, data: bytes | memoryview) -> tuple[int, ...]:
        """Return the fields' numbers; raises ValueError if the bytes are not this message, in this size."""
        if len(data) != self.size or data[: len(self.prefix)] != self.prefix:
            raise ValueError("not a message of this struct")
        return self.body.unpack_from(data, len(self.prefix))
