"""Starts agent_names_remote.py, in a network of the test's own, and talks with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

IPV4, IPV6, BOTH = 1, 2, 3
RESOLVER = "nameserver 127.0.0.1\nsearch shop.test two.test\noptions timeout:10\n"
FILES = {
    "hosts": "127.0.0.1 localhost\n::1 localhost ip6-localhost\n10.7.0.2 here.shop.test here\n",
    "nsswitch.conf": "hosts: files dns\n",
    "resolv.conf": RESOLVER,
    "gai.conf": "",
}
Question = tuple[str, int, bool, bool]


class Remote:
    """A running agent_names_remote.py."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid

    def ask(self, **request: Any) -> Any:
        """Its answer to one request."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, self._process.stderr and self._process.stderr.read()
        return json.loads(line)

    def put(self, **files: str | None) -> None:
        """Replace files; the others are as they were at first."""
        self.ask(files=FILES | {name.replace("_", "."): text for name, text in files.items()})

    def resolve(self, name: str, families: int = BOTH, *, canonical: bool = False, configured: bool = False) -> Any:
        """What the driver finds."""
        return self.ask(resolve=[(name, families, canonical, configured)])[0]

    def compare(self, questions: Sequence[Question]) -> list[Any]:
        """What the driver finds and what the C library finds must be the same; return the first."""
        found: list[Any] = self.ask(resolve=questions)
        ours = [[each["outcome"], each["addresses"], each["name"]] for each in found]
        theirs = self.ask(glibc=questions)
        for each, (question, its) in zip(ours, zip(questions, theirs, strict=True), strict=True):
            if question[2] is False:
                each[2] = its[2] = ""
        differ = [
            f"{question}: {mine}, glibc {its}"
            for question, mine, its in zip(questions, ours, theirs, strict=True)
            if mine != its
        ]
        assert not differ, "\n".join(differ)
        return found

    def asked(self) -> list[list[str]]:
        """What each server was asked since this was asked last."""
        return self.ask(asked=True)  # type: ignore[no-any-return]


@contextmanager
def start(**variables: str) -> Iterator[Remote]:
    """Run agent_names_remote.py, with more variables, until the block ends."""
    command = [sys.executable, str(Path(__file__).parent / "agent_names_remote.py")]
    with subprocess.Popen(
        command,
        env=os.environ | variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin and process.stdout and process.stderr
        if process.stdout.readline() != "ready\n":
            reason = process.stderr.read()
            if "PermissionError" in reason:
                pytest.skip(f"this machine allows no such namespaces: {reason.splitlines()[-1]}")
            pytest.fail(reason)
        yield Remote(process)
        process.stdin.close()
        process.stdout.read()
        assert process.stderr.read() == ""
