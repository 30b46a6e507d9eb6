"""What a program is, by its first bytes: built by hand, taken from this machine, and damaged."""

from __future__ import annotations

import itertools
import random
import struct
import sys
import time

import pytest

from layer_guard import Guarded
from mirrord_layer_unix._pure import ffi, lib

FILE = struct.Struct("<4s5B7xHHIQQQIHHHHHH")
SEGMENT = struct.Struct("<IIQQQQQQ")
PT_LOAD, PT_INTERP, PT_NOTE = 1, 3, 4
GO_NOTE = struct.pack("<III", 4, 8, 4) + b"Go\0\0" + b"build-id"
GNU_NOTE = struct.pack("<III", 4, 8, 3) + b"GNU\0" + b"build-id"


def elf(
    *segments: tuple[int, bytes], machine: int = 62, bits: int = 2, type_: int = 3, count: int | None = None
) -> bytes:
    """A file with these segments' contents behind its headers."""
    number = len(segments) if count is None else count
    head = FILE.pack(
        b"\x7fELF", bits, 1, 1, 0, 0, type_, machine, 1, 0, FILE.size, 0, 0, FILE.size, 56, number, 0, 0, 0
    )
    at = FILE.size + SEGMENT.size * len(segments)
    table, body = b"", b""
    for kind, content in segments:
        table += SEGMENT.pack(kind, 4, at + len(body), 0, 0, len(content), len(content), 4)
        body += content
    return head + table + body


def inspect(head: bytes) -> tuple[int, bytes]:
    program = ffi.new("struct elf_program *")
    lib.elf_inspect(head, len(head), program)
    text = program.text
    return program.kind, head[text.offset : text.offset + text.size]


LOADER = b"/lib64/ld-linux-x86-64.so.2\0"


@pytest.mark.parametrize(
    ("head", "kind", "text"),
    [
        (elf((PT_LOAD, b"x"), (PT_INTERP, LOADER)), "DYNAMIC", LOADER[:-1]),
        (elf((PT_LOAD, b"x")), "STATIC", b""),
        (elf((PT_LOAD, b"x"), type_=2), "STATIC", b""),
        (elf((PT_NOTE, GNU_NOTE + GO_NOTE)), "GO", b""),
        (elf((PT_NOTE, GO_NOTE), (PT_INTERP, LOADER)), "GO", LOADER[:-1]),
        (elf((PT_INTERP, LOADER), (PT_NOTE, GNU_NOTE)), "DYNAMIC", LOADER[:-1]),
        (elf((PT_INTERP, LOADER), machine=183), "FOREIGN", b""),
        (elf((PT_INTERP, LOADER), bits=1), "FOREIGN", b""),
        (elf((PT_INTERP, LOADER), type_=1), "UNKNOWN", b""),
        (elf((PT_INTERP, LOADER), count=500), "UNKNOWN", b""),
        (elf((PT_INTERP, LOADER))[:100], "UNKNOWN", b""),
        (elf((PT_INTERP, LOADER))[:20], "FOREIGN", b""),
        (elf((PT_INTERP, LOADER))[: FILE.size + SEGMENT.size], "DYNAMIC", b""),
        (b"#!/bin/sh\n", "SCRIPT", b"/bin/sh"),
        (b"#! \t/usr/bin/env python3\n", "SCRIPT", b"/usr/bin/env"),
        (b"#!/bin/sh", "SCRIPT", b"/bin/sh"),
        (b"#!\n/bin/sh", "UNKNOWN", b""),
        (b"#!", "UNKNOWN", b""),
        (b"echo hello\n", "UNKNOWN", b""),
        (b"", "UNKNOWN", b""),
    ],
)
def test_kinds(head: bytes, kind: str, text: bytes) -> None:
    assert inspect(head) == (getattr(lib, f"ELF_{kind}"), text)


def test_notes_beyond_the_bytes_given_are_named() -> None:
    whole = elf((PT_NOTE, GO_NOTE))
    program = ffi.new("struct elf_program *")
    lib.elf_inspect(whole, FILE.size + SEGMENT.size, program)

    assert program.kind == lib.ELF_STATIC
    span = program.notes[0]
    note = whole[span.offset : span.offset + span.size]
    assert lib.elf_note_is_go(note, len(note))
    assert not lib.elf_note_is_go(note, 15)


def test_this_interpreter() -> None:
    with open(sys.executable, "rb") as file:
        kind, text = inspect(file.read(lib.ELF_HEAD))

    assert kind == lib.ELF_DYNAMIC
    assert text.startswith(b"/lib")


@pytest.mark.fuzz
@pytest.mark.slow
def test_no_damaged_file_leads_outside_of_it() -> None:
    generator = random.Random(1)
    good = elf((PT_LOAD, b"x"), (PT_INTERP, LOADER), (PT_NOTE, GNU_NOTE + GO_NOTE), (PT_NOTE, GO_NOTE))
    ends = time.monotonic() + 60
    guard = Guarded(len(good))
    program = ffi.new("struct elf_program *")
    for count in itertools.count():
        if count % 256 == 0 and time.monotonic() > ends:
            break
        damaged = bytearray(good[: generator.randint(0, len(good))])
        for _ in range(generator.randint(1, 8) if damaged else 0):
            damaged[generator.randrange(len(damaged))] = generator.choice(
                [0, 1, 4, 0x7F, 0xFF, generator.randrange(256)]
            )
        head = ffi.cast("uint8_t *", guard.put(bytes(damaged)))
        lib.elf_inspect(head, len(damaged), program)
        assert program.text.offset + program.text.size <= len(damaged)
        lib.elf_note_is_go(head, len(damaged))
