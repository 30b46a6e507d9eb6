"""Tells whether the layer can enter a program, from the program's file. The decision on bytes is csrc/elf.c."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import Literal

from mirrord_layer_unix._pure import ffi, lib

Kind = Literal["dynamic", "static", "go", "privileged", "script", "foreign"]
KINDS: dict[int, Kind] = {
    lib.ELF_SCRIPT: "script",
    lib.ELF_FOREIGN: "foreign",
    lib.ELF_STATIC: "static",
    lib.ELF_DYNAMIC: "dynamic",
    lib.ELF_GO: "go",
    lib.ELF_UNKNOWN: "foreign",
}


@dataclass(frozen=True, slots=True)
class Program:
    """What a program's file says of it."""

    kind: Kind
    """`foreign`: of another machine, or nothing that is known to run."""
    interpreter: bytes | None = None
    """The dynamic loader, or what a script's first line names."""
    libc: Literal["glibc", "musl"] | None = None


def is_privileged(path: str | bytes, status: os.stat_result) -> bool:
    """Whether the loader would ignore LD_PRELOAD for this user: the file changes IDs or brings capabilities."""
    if status.st_mode & stat.S_ISUID and status.st_uid != os.getuid():
        return True
    if status.st_mode & stat.S_ISGID and status.st_mode & stat.S_IXGRP and status.st_gid != os.getgid():
        return True
    if os.getuid() == 0:
        return False
    try:
        return bool(os.getxattr(path, "security.capability"))
    except OSError:  # it has none, or the file system knows no such thing
        return False


def inspect_program(path: str | bytes) -> Program:
    """Look at a program's file.

    Raises:
        OSError: It can't be read.
    """
    with open(path, "rb") as file:
        status = os.fstat(file.fileno())
        head = file.read(lib.ELF_HEAD)
        found = ffi.new("struct elf_program *")
        lib.elf_inspect(head, len(head), found)
        kind = KINDS[found.kind]
        for index in range(found.note_count):
            span = found.notes[index]
            note = os.pread(file.fileno(), min(span.size, 1 << 16), span.offset)
            if lib.elf_note_is_go(note, len(note)):
                kind = "go"
        text = os.pread(file.fileno(), min(found.text.size, 4096), found.text.offset) if found.text.size else None
    if kind == "dynamic" and is_privileged(path, status):
        kind = "privileged"
    libc: Literal["glibc", "musl"] | None = None
    if text and kind in {"dynamic", "privileged", "go"}:
        libc = "musl" if b"ld-musl" in text else "glibc"
    return Program(kind, text, libc)
