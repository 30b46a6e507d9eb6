"""Compiles what cgen.py writes, with a small program around it that prints what the C readers read."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from mirrord_protocol.cgen import access, main
from mirrord_protocol.schema import load, plain_fields

Run = Callable[[str, bytes], subprocess.CompletedProcess[bytes]]
FLAGS = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE"]
CSRC = Path(__file__).parent / "csrc"


def compiler() -> list[str]:
    """The system's C compiler, else the one that builds the wheels."""
    for name in ("gcc", "clang"):
        if path := shutil.which(name):
            return [path]
    return [sys.executable, "-m", "ziglang", "cc"]


def sanitizing_compiler() -> list[str] | None:
    """A compiler that can link AddressSanitizer, or None."""
    return next(([path] for name in ("gcc", "clang") if (path := shutil.which(name))), None)


def prints(kind: str, node: object) -> Iterator[str]:
    """The lines of a C function that prints a struct's fields, one `name value` in a line."""
    yield f"static void print_{kind}(const struct {kind} *in)"
    yield "{"
    for field in plain_fields(node):
        yield f'\tprintf("{field.name} %lld\\n", (long long)in->{access(field)});'
    yield "}"


def build_reader(folder: Path) -> Path:
    """Generate, compile and link; return the program."""
    assert main([str(folder)]) == 0
    schema = load()
    lines = ["/* Prints structs of wire.h. Made from the schema by protocol_c.py. */", "#include <stdio.h>"]
    for kind, name in (
        ("wire_stat", "Stat"),
        ("wire_file_system", "FileSystem"),
        ("wire_address", "LayerAddress"),
        ("layer_request", "LayerRequest"),
        ("layer_reply", "LayerReply"),
    ):
        lines += prints(kind, getattr(schema, name).schema.node)
    (folder / "prints.h").write_text("\n".join(lines) + "\n")
    program = folder / "wire"
    sources = [CSRC / "reader.c", folder / "wire.c"]
    subprocess.run([*compiler(), *FLAGS, "-O1", f"-I{folder}", *sources, "-o", program], check=True, timeout=120)
    return program
