"""Writes the C side of the schema: `python -m mirrord_protocol.cgen DIRECTORY` makes wire.h and wire.c there.

Everything comes from the schema as pycapnp reports it; only which structs C needs, and what they are called there,
is said here. The fixed part of wire.c is csource.py's. Python's own readers of the same bytes: flat.py, chunks.py.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mirrord_protocol.csource import HEADER_END, HEADER_START, SOURCE_START, reader_of_lists
from mirrord_protocol.schema import CODES, Field, Flat, enumerants, load, plain_fields, short_name, snake

ENUMS = ("Errno", "LayerOperation", "LayerResolve", "LayerSocket", "LayerNotice", "LayerOutcome", "LayerForm")
TYPES = {
    "bool": "bool", "uint8": "uint8_t", "uint16": "uint16_t", "uint32": "uint32_t", "uint64": "uint64_t",
    "int8": "int8_t", "int16": "int16_t", "int32": "int32_t", "int64": "int64_t",
}  # fmt: skip
MACROS = {"errno": "errno_code"}
"""Names that mean something else in C."""


def c_name(name: str) -> str:
    """Return a field's name in C."""
    return MACROS.get(name, name)


def c_type(field: Field) -> str:
    """Return a field's type in C."""
    return f"enum wire_{snake(field.enum)}" if field.enum else TYPES[field.kind]


def declare_enum(node: Any) -> Iterator[str]:
    """Yield the lines of an enum's declaration."""
    name = snake(short_name(node))
    yield f"enum wire_{name} {{"
    for number, item in enumerate(enumerants(node)):
        yield f"\tWIRE_{name.upper()}_{snake(item).upper()} = {number},"
    yield "};"
    yield ""


def declare_struct(name: str, node: Any, groups: dict[str, str]) -> Iterator[str]:
    """Yield the lines of a struct's declaration; `groups` tells the C struct of each group."""
    yield f"struct {name} {{"
    seen = set()
    for field in plain_fields(node):
        group, _, own = field.name.rpartition(".")
        if not group:
            yield f"\t{c_type(field)} {c_name(own)};"
        elif group not in seen:
            seen.add(group)
            yield f"\tstruct {groups[group]} {group};"
    yield "};"
    yield ""


def access(field: Field) -> str:
    """Return how C reaches a field from its struct."""
    return ".".join(c_name(part) for part in field.name.split("."))


def write_field(field: Field) -> str:
    """Return the statement that puts a field into a zeroed data section."""
    if field.kind == "bool":
        return f"\tbody[{field.byte}] |= (uint8_t)(in->{access(field)} << {field.offset % 8});"
    width = CODES[field.kind][1]
    return f"\tput{width}(body + {field.byte}, (uint{width}_t)in->{access(field)});"


def read_field(field: Field) -> str:
    """Return the statement that takes a field from a data section, of which enough is there."""
    if field.kind == "bool":
        return f"\tout->{access(field)} = (body[{field.byte}] >> {field.offset % 8}) & 1;"
    return f"\tout->{access(field)} = ({c_type(field)})get{CODES[field.kind][1]}(body + {field.byte});"


def define_body_reader(name: str, node: Any) -> Iterator[str]:
    """Yield the function that reads a whole data section."""
    yield f"static void {name}_body(const uint8_t *body, struct {name} *out)"
    yield "{"
    yield from (read_field(field) for field in plain_fields(node))
    yield "}"
    yield ""


def define_flat(name: str, node: Any) -> Iterator[str]:
    """Yield writer and reader of a struct without pointers, as a message of fixed size."""
    words = node.struct.dataWordCount
    head, root = struct.unpack("<QQ", Flat(node).prefix)
    yield f"void {name}_write(uint8_t *out, const struct {name} *in)"
    yield "{"
    yield "\tuint8_t *body = out + 16;"
    yield ""
    yield f"\tput64(out, {head:#x});"
    yield f"\tput64(out + 8, {root:#x});"
    yield f"\tmemset(body, 0, {words * 8});"
    yield from (write_field(field) for field in plain_fields(node))
    yield "}"
    yield ""
    yield from define_body_reader(name, node)
    yield f"bool {name}_read(const uint8_t *in, size_t size, struct {name} *out)"
    yield "{"
    yield f"\tif (size < {name.upper()}_SIZE || get64(in) != {head:#x} || get64(in + 8) != {root:#x})"
    yield "\t\treturn false;"
    yield f"\t{name}_body(in + 16, out);"
    yield "\treturn true;"
    yield "}"
    yield ""


def define_message_reader(name: str, node: Any) -> Iterator[str]:
    """Yield the reader of a struct without pointers that is a message's root, of this version or a later one."""
    yield from define_body_reader(f"wire_{name}", node)
    yield f"bool {name}_read(const uint8_t *in, size_t size, struct wire_{name} *out)"
    yield "{"
    yield "\tstruct segment segment;"
    yield "\tstruct place root;"
    yield ""
    yield f"\tif (!segment_open(in, size, &segment) || !struct_at(&segment, 0, {node.struct.dataWordCount}, 0, &root))"
    yield "\t\treturn false;"
    yield f"\twire_{name}_body(segment.start + root.data * 8, out);"
    yield "\treturn true;"
    yield "}"
    yield ""


def check_group(schema: Any) -> None:
    """Raise ValueError unless the group in LayerReply is what Stat is: C has one struct for both."""
    group = [
        (c_type(f), f.name.partition(".")[2]) for f in plain_fields(schema.LayerReply.schema.node) if "." in f.name
    ]
    stat = [(c_type(field), field.name) for field in plain_fields(schema.Stat.schema.node)]
    if sorted(group) != sorted(stat):
        raise ValueError("LayerReply.stat is not what Stat is")


def header() -> str:
    """Return wire.h."""
    schema = load()
    check_group(schema)
    lines = [HEADER_START]
    for name in ENUMS:
        lines += declare_enum(getattr(schema, name).schema.node)
    lines += declare_struct("wire_stat", schema.Stat.schema.node, {})
    lines += declare_struct("wire_file_system", schema.FileSystem.schema.node, {})
    lines += declare_struct("wire_address", schema.LayerAddress.schema.node, {})
    for name in ("LayerRequest", "LayerReply"):
        node = getattr(schema, name).schema.node
        lines += declare_struct(snake(name), node, {"stat": "wire_stat"})
        lines += [f"#define {snake(name).upper()}_SIZE {Flat(node).size}", ""]
    return "\n".join(lines) + HEADER_END


def source() -> str:
    """Return wire.c."""
    schema = load()
    lines = [SOURCE_START]
    for name in ("LayerRequest", "LayerReply"):
        lines += define_flat(snake(name), getattr(schema, name).schema.node)
    lines += define_message_reader("file_system", schema.FileSystem.schema.node)
    lines += define_body_reader("wire_stat", schema.Stat.schema.node)
    lines.append(reader_of_lists(schema))
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Write both files into the directory named by the only argument."""
    if len(arguments) != 1:
        print("usage: python -m mirrord_protocol.cgen DIRECTORY", file=sys.stderr)
        return 2
    directory = Path(arguments[0])
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "wire.h").write_text(header())
    (directory / "wire.c").write_text(source())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
