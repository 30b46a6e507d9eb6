"""Finds the program as execvp(3) would, and refuses one that the layer can't enter, with the reason."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

from mirrord_cli.errors import MirrordError
from mirrord_layer_unix import inspect_program

DEFAULT_PATH = b"/bin:/usr/bin"  # what execvp(3) uses without PATH
SCRIPTS = 5  # so many interpreters may be scripts themselves: the kernel's own limit
WHY = {
    "static": "is linked statically: it has no C library that could be told to load mirrord's layer",
    "go": "is written in Go, whose files and connections never pass the C library",
    "privileged": (
        "is set-user-ID, set-group-ID or has file capabilities: the loader lets nothing be preloaded into it"
    ),
    "foreign": "is not a program for this machine",
}
NEXT = {
    "static": "Build it with dynamic linking, or start something dynamic (a shell, a script) that doesn't need it.",
    "go": "Programs in Go aren't supported yet.",
    "privileged": "Use a copy without these rights, or start mirrord as the user whom the program would become.",
    "foreign": "Name a program or a script that runs on this machine.",
}


BESIDE = (b"bin", b"include", b"lib", b"lib64", b"libexec", b"sbin", b"share")
"""What an installation has beside the folder of its programs (the file system hierarchy standard, 4.4)."""


@dataclass(frozen=True, slots=True)
class Found:
    """A program that can be run."""

    path: bytes
    """What to execute: as execvp(3) would."""
    file: bytes
    """The file that the kernel will load first: the program itself, or a script's interpreter; absolute, no links."""
    skipped: bool = False
    """Whether the layer leaves it alone, since the user wants that of programs with its name."""


def find_program(name: bytes, path_variable: bytes | None, skipped: frozenset[bytes] = frozenset()) -> Found:
    """Return the program of this name.

    `skipped` has the base names of programs that are to run without the layer: they may be of any kind.

    Raises:
        MirrordError: It isn't there, can't be run, or the layer can't enter it. The exit code is 127 or 126 where a
            shell's would be.
    """
    path = _look_up(name, path_variable)
    file, script = path, b""
    for _ in range(SCRIPTS):
        shown = os.fsdecode(path) + (f" (whose interpreter is {os.fsdecode(file)})" if script else "")
        try:
            program = inspect_program(file)
        except (FileNotFoundError, NotADirectoryError):
            text = f"The interpreter of {os.fsdecode(path)} was not found: {os.fsdecode(file)}."
            raise MirrordError("you", text, "Install it, or correct the script's first line.", 127) from None
        except PermissionError:
            text = f"{shown} may be run but not read: mirrord can't tell whether its layer can enter it."
            raise MirrordError("you", text, "Use a copy that you may read.", 126) from None
        if program.kind == "script" and program.interpreter:
            script, file = file, program.interpreter.strip().split(None, 1)[0]
            continue
        names = {os.path.basename(each) for each in (path, file)}
        # A file without a known head is a script for the shell, as execvp(3) takes it.
        shell = program.kind == "foreign" and not script and not _binary(file)
        if program.kind in WHY and not shell and not names & skipped:
            raise MirrordError("you", f"{shown} {WHY[program.kind]}.", NEXT[program.kind], 126)
        loaded = os.path.realpath(b"/bin/sh" if shell else file)
        # As the layer looks at it: by argv[0], which is the interpreter of a script, and by the loaded file.
        called = b"sh" if shell else os.path.basename(file if script else name)
        return Found(path, loaded, skipped=bool({called, os.path.basename(loaded)} & skipped))
    text = f"{os.fsdecode(path)} is a script whose interpreter is a script, and so on, too often."
    raise MirrordError("you", text, "Name the last interpreter yourself.", 126)


def installations(file: bytes, path_variable: bytes | None) -> tuple[bytes, ...]:
    """Return the folders of the installations that a program and those on the PATH come from.

    A program looks for its libraries and data beside the folder it lies in, wherever that is, and they are this
    machine's as the program is. Only folders that exist are returned, links resolved and not.
    """
    folders = [os.path.dirname(file), *(path_variable or b"").split(b":")]
    found: dict[bytes, None] = {}
    for folder in folders:
        if not os.path.isabs(folder):
            continue
        for place in (os.path.normpath(folder), os.path.realpath(folder)):
            above, name = os.path.split(place)
            beside = [os.path.join(above, other) for other in BESIDE] if name in {b"bin", b"sbin"} else [place]
            found |= dict.fromkeys(path for path in beside if above != b"/" and os.path.isdir(path))
    return tuple(found)


def _binary(file: bytes) -> bool:
    """Whether a file's first line is no text: then no shell will try it (as bash decides)."""
    with open(file, "rb") as opened:
        head = opened.read(256)
    return b"\0" in head.partition(b"\n")[0] or head.startswith(b"\x7fELF")


def _look_up(name: bytes, path_variable: bytes | None) -> bytes:
    shown = os.fsdecode(name)
    if not name:
        raise MirrordError("you", "The program's name is empty.", "Name a program behind `--`.", 127)
    folders = [b""] if b"/" in name else (DEFAULT_PATH if path_variable is None else path_variable).split(b":")
    there = None
    for folder in folders:
        path = os.path.join(folder or b".", name) if b"/" not in name else name
        try:
            status = os.stat(path)
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode) and os.access(path, os.X_OK, effective_ids=True):
            return path
        there = path
    if there is not None:
        what = "a directory" if os.path.isdir(there) else "not executable"
        next_step = "Make it executable (chmod +x), or name the program that is to run it."
        raise MirrordError("you", f"{os.fsdecode(there)} is {what}: no permission to run it.", next_step, 126)
    if b"/" in name:
        raise MirrordError("you", f"The program {shown} was not found.", "Check the path.", 127)
    text = f"The program {shown} was not found in the folders of PATH on this machine."
    raise MirrordError("you", text, "Check the name, or give its path. Programs are this machine's.", 127)
