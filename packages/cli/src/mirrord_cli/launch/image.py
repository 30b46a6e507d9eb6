"""Becomes the program: the same process, terminal, signals and exit code. And what this process was started with."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Mapping, Sequence

from mirrord_cli.errors import MirrordError

SHELL = b"/bin/sh"
IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)


def own_environment() -> dict[bytes, bytes]:
    """Return the environment that this process was started with.

    Not `os.environ`: an interpreter that starts in the C locale adds LC_CTYPE to that (PEP 538).
    """
    with open("/proc/self/environ", "rb") as file:
        pairs = (entry.partition(b"=") for entry in file.read().split(b"\0"))
    found: dict[bytes, bytes] = {}
    for name, equals, value in pairs:
        if equals:
            found.setdefault(name, value)  # getenv(3) takes the first
    return found


def become(path: bytes, arguments: Sequence[bytes], environment: Mapping[bytes, bytes]) -> None:
    """Replace this process by a program; doesn't return.

    Raises:
        MirrordError: The kernel wouldn't run it.
    """
    # An interpreter ignores these, and what is ignored stays so through exec.
    for number in IGNORED_BY_PYTHON:
        signal.signal(number, signal.SIG_DFL)
    try:
        try:
            os.execve(path, list(arguments), dict(environment))
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            # A script without a first line that names its interpreter: as execvp(3) does.
            os.execve(SHELL, [SHELL, path, *arguments[1:]], dict(environment))
    except OSError as error:
        text = f"{os.fsdecode(path)} can't be run: {error.strerror}."
        next_step = "Check the program."
        if error.errno == errno.E2BIG:
            next_step = "Arguments and environment are too large together: leave variables out (feature.env.exclude)."
        raise MirrordError("you", text, next_step, 126) from None
    except ValueError as error:  # a NUL in an argument
        raise MirrordError("you", f"{os.fsdecode(path)} can't be run: {error}.", "Check the arguments.", 126) from None
