"""The demo's rows about the network: what programs see of it, and who answers those who ask the service.

A row is: program, question, what was seen under mirrord, the truth. Where this machine can't do a part, the row says so.
"""

from __future__ import annotations

import ctypes
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.kit.around import Around
from tests.kit.network import PEER
from tests.kit.run import Runner
from tests.kit.serving import GRACE, free_port, get, serving, wait_until

HERE = Path(__file__).parent
Row = tuple[str, str, str, str]


def answers(process: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """What a program said, plus its exit code."""
    said = dict(line.split("\t", 1) for line in process.stdout.splitlines() if "\t" in line)
    return said | {"exit code": str(process.returncode)} | ({"stderr": process.stderr} if process.stderr else {})


def outgoing(around: Around, runner: Runner) -> Iterator[Row]:
    """Names and connections, beside the same program in the service's network."""
    command = [sys.executable, str(HERE / "look_network.py")]
    truth = answers(runner.run(around.target.command(*command, names=True)))
    saw = answers(runner.exec(around.target, *command))
    for question in truth | saw:
        yield "python", question, saw.get(question, "(no answer)"), truth.get(question, "(no answer)")


def incoming(around: Around, runner: Runner) -> Iterator[Row]:
    """Requests to a port of the service, while a program here steals or mirrors it, and afterwards."""
    target, port = around.target, free_port()
    target.listen(port)
    command = [sys.executable, str(HERE / "serve.py"), str(port)]
    for options, verb, answered in (
        (["-q", "--steal"], "stolen", f"program here, to {PEER}"),
        (["-q"], "mirrored", "target"),
    ):
        with serving(runner, target, *command, options=options, quiet=False) as program:
            started = program.line()
            if started:
                yield "server", f"{verb} request: who answers", ask(around, port, f"/{verb}"), answered
                yield "server", f"{verb} request: the program saw", program.line(), f"GET /{verb} HTTP/1.1 from {PEER}"
            code, error = program.end()
        if not started or code or error:
            yield "server", f"{verb} request", f"exit code {code}", error.strip() or "nothing on stderr"
        wait_until(lambda: ask(around, port, "/") == "target", GRACE)
        yield "server", "afterwards, who answers", ask(around, port, "/"), "target"


def ask(around: Around, port: int, path: str) -> str:
    """Who answers a client beside the service: the service, which says `target`, or the program, which says to whom."""
    said = get(around.target.peer, port, path=path).strip()
    return said.partition(",")[0] if said.startswith("target") else said


def lacking() -> str:
    """Why nothing can be stolen or mirrored on this machine; empty where it can."""
    try:
        ctypes.CDLL("libnftables.so.1")
    except OSError:
        return "libnftables.so.1 is missing; install it (Debian: apt-get install libnftables1)"
    return ""
