"""Someone who runs programs under `mirrord exec`, and those programs while they run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.kit.images import AGENT_IMAGE
from tests.kit.run import Runner, processes

PATIENCE = 60.0


class Program:
    """A program under mirrord, or mirrord on its way to it."""

    def __init__(self, process: subprocess.Popen[bytes], mark: str, output: Path, errors: Path) -> None:
        self.process = process
        self._mark = mark
        self._output, self._errors = output, errors

    def said(self) -> str:
        """Its standard output until now."""
        return self._output.read_text(errors="replace")

    def errors(self) -> str:
        """What it, and mirrord, said on standard error until now."""
        return self._errors.read_text(errors="replace")

    def wait_said(self, text: str, *, times: int = 1, errors: bool = False) -> None:
        """Wait until it has said something."""
        end = time.monotonic() + PATIENCE
        while (self.errors() if errors else self.said()).count(text) < times:
            state = f"{self.said()}\n{self.errors()}"
            assert self.process.poll() is None, f"it ended ({self.process.returncode}) before {text!r}:\n{state}"
            assert time.monotonic() < end, f"it never said {text!r}:\n{state}"
            time.sleep(0.02)

    def sessions(self) -> list[int]:
        """The session's process; none: it hasn't begun, or has ended."""
        others = processes(self._mark)
        return [pid for pid, line in others.items() if "mirrord_cli" in line and pid != self.process.pid]

    def end(self) -> int:
        """End it as a terminal does when somebody presses Ctrl-C; its exit code."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        return self.wait()

    def wait(self, seconds: float = PATIENCE) -> int:
        """Wait for it to end; its exit code."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


@dataclass(frozen=True, slots=True)
class Developer:
    """Someone with a kubeconfig, a home and a terminal."""

    runner: Runner
    kubeconfig: Path
    namespace: str
    variables: Mapping[str, str] = field(default_factory=dict)

    def environment(self, env: Mapping[str, str] | None = None) -> dict[str, str]:
        """What is set where they type."""
        image = {"MIRRORD_AGENT_IMAGE": AGENT_IMAGE} if AGENT_IMAGE else {}
        return {"KUBECONFIG": str(self.kubeconfig), **image, **self.variables, **(env or {})}

    def configuration(self, **keys: Any) -> str:
        """A file that says these keys; its path."""
        path = self.runner.folder / f"{len(list(self.runner.folder.glob('*.json')))}.json"
        path.write_text(json.dumps(keys))
        return str(path)

    def run(
        self, *arguments: str, env: Mapping[str, str] | None = None, **rest: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run `mirrord` to its end."""
        return self.runner.run([*self.runner.command, *arguments], env=self.environment(env), timeout=100, **rest)

    def exec(
        self, target: str | None, *program: str, options: Sequence[str] = (), **rest: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a program under `mirrord exec` to its end."""
        chosen = ["-t", target] if target else []
        return self.run("exec", *chosen, *options, "--", *program, **rest)

    @contextmanager
    def start(
        self,
        target: str,
        *program: str,
        options: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Iterator[Program]:
        """Start a program under `mirrord exec`; it is ended with the block."""
        number = len(list(self.runner.folder.glob("*.out")))
        output, errors = (self.runner.folder / f"{number}.{end}" for end in ("out", "err"))
        arguments = self.runner.arguments(target, program, options)
        with output.open("wb") as stdout, errors.open("wb") as stderr:
            process = self.runner.start(
                arguments,
                env=self.environment(env),
                cwd=cwd or self.runner.folder,
                process_group=0,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )
        running = Program(process, self.runner.mark, output, errors)
        try:
            yield running
        finally:
            running.end()
