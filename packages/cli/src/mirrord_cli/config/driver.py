"""Reads configuration files and standard input, asks git for the branch; resolve.py decides what it all means."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from msgspec import Struct

from mirrord_cli.config.parse import FORMATS, Malformed, line_of, parse
from mirrord_cli.config.resolve import Outcome, Resolved, resolve, said_of
from mirrord_cli.config.template import TemplateFailed, is_template, render
from mirrord_cli.config.values import Problem
from mirrord_cli.errors import MirrordError

DEFAULT_FILE = "./.mirrord/mirrord.json"
"""What `-f` without a value means."""
VARIABLE = "MIRRORD_CONFIG_FILE"
LARGEST = 1 << 20  # a configuration is written by people
GIT_SECONDS = 5.0


class Source(Struct, frozen=True):
    """Where a configuration comes from: a file and its text after rendering, or nowhere."""

    name: str = ""
    text: str = ""

    def place(self, problem: Problem, said: Mapping[str, str]) -> str:
        """Return a problem's text with the option, variable, or file and line it is about."""
        if origin := said.get(problem.path):
            text = problem.text.replace(problem.path, origin, 1)
            return text[0].upper() + text[1:]
        if not self.name:
            return problem.text
        line = line_of(self.text, problem.path)
        return f"{self.name}{f', line {line}' if line else ''}: {problem.text}"


def load(options: Mapping[str, str], variables: Mapping[str, str], file: str | None = None) -> Resolved:
    """Return the configuration from options (by key), variables, and a file: the one named, or that of the variable.

    Raises:
        MirrordError: There is none, for mistakes in it or for want of the file.
    """
    outcome, source, said = examine(options, variables, file)
    if outcome.resolved:
        return outcome.resolved
    texts = [source.place(problem, said) for problem in outcome.problems]
    steps = dict.fromkeys(problem.next_step for problem in outcome.problems)
    yours = all(said.get(problem.path, "").startswith("the option") for problem in outcome.problems)
    raise MirrordError("you" if yours else "configuration", "\n".join(texts), "\n".join(steps))


def examine(
    options: Mapping[str, str], variables: Mapping[str, str], file: str | None
) -> tuple[Outcome, Source, dict[str, str]]:
    """Do the same, but return problems instead of raising them; with the source, and the origins of what isn't in it.

    Raises:
        MirrordError: The file can't be read, or isn't in its format.
    """
    if file == "":
        raise MirrordError("you", "The configuration file's name is empty.", "Name a file with -f, or leave it out.")
    name = file if file is not None else variables.get(VARIABLE)
    tree, source = _read(name, variables) if name else ({}, Source())
    said = said_of(options, variables)
    return resolve(tree, said, variables), source, {path: one.origin for path, one in said.items()}


def _read(name: str, variables: Mapping[str, str]) -> tuple[object, Source]:
    shown = "Standard input" if name == "-" else name
    extension = "" if name == "-" else os.path.splitext(name)[1].lower()
    if extension not in FORMATS:
        formats = ", ".join(filter(None, FORMATS))
        raise MirrordError(
            "configuration",
            f"The configuration file {shown} is in no known format: its name ends in {extension!r}.",
            f"Give it one of these endings: {formats}.",
        )
    source = Source(shown, _text(name, shown))
    try:
        if is_template(source.text):
            rendered = render(source.text, variables, lambda: _git_branch(variables))
            source = Source(shown, rendered)
        return parse(source.text, extension), source
    except TemplateFailed as error:
        text = f"The template {shown} can't be rendered: {error}."
        raise MirrordError("configuration", text, "Correct it, or set what it uses.") from None
    except Malformed as error:
        text = f"{shown} is not valid {FORMATS[extension]}: {error}."
        raise MirrordError("configuration", text, "Correct the file; its ending decides its format.") from None


def _text(name: str, shown: str) -> str:
    try:
        if name == "-":
            data = sys.stdin.buffer.read(LARGEST + 1) if sys.stdin else b""
        else:
            with open(os.path.expanduser(name), "rb") as opened:
                data = opened.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise MirrordError(
                "configuration", f"{shown} is larger than {LARGEST} bytes.", "Name a configuration file with -f."
            )
        return data.decode("utf-8-sig")
    except OSError as error:
        text = f"The configuration file {shown} can't be read: {error.strerror}."
        raise MirrordError("configuration", text, "Check the path given with -f or MIRRORD_CONFIG_FILE.") from None
    except UnicodeDecodeError as error:
        text = f"{shown} is not UTF-8 text (byte {error.start})."
        raise MirrordError("configuration", text, "Save it as UTF-8.") from None


def _git_branch(variables: Mapping[str, str]) -> str | None:
    if given := variables.get("MIRRORD_BRANCH_NAME"):
        return given
    import subprocess

    try:
        done = subprocess.run(
            ["git", "branch", "--show-current"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=GIT_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace").strip() or None
