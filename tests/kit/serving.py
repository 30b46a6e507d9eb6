"""Programs that serve under mirrord, and clients that ask them from the target's side."""

from __future__ import annotations

import json
import os
import selectors
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tests.kit.network import PEER, TARGET, Control, NetworkTarget
from tests.kit.run import PATIENCE, Runner
from tests.kit.target import Target

GRACE = 5.0
"""Seconds within which a target serves again after a program has ended, whatever ended it."""


class Serving:
    """A program under mirrord whose lines are read and written."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._buffer, self._error = b"", b""

    def line(self) -> str:
        """Its next line of output, without the end; empty once there are no more."""
        assert self.process.stdout
        end = time.monotonic() + PATIENCE
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                assert selector.select(max(0, end - time.monotonic())), f"it says nothing after {self._buffer!r}"
                data = os.read(self.process.stdout.fileno(), 65536)
                if not data:
                    break
                self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode()

    def tell(self, line: str) -> None:
        """Write a line to it."""
        assert self.process.stdin
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def end(self) -> tuple[int, str]:
        """End its input and wait for it; its exit code, and what it said on stderr."""
        assert self.process.stdin and self.process.stderr
        if not self.process.stdin.closed:
            self.process.stdin.close()
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        self._error += self.process.stderr.read()
        return code, self._error.decode()


@contextmanager
def serving(
    runner: Runner,
    target: Target | str,
    *program: str,
    options: Sequence[str] = ("-q", "--steal"),
    quiet: bool = True,
    **rest: Any,
) -> Iterator[Serving]:
    """Run a server under mirrord until the block ends; unless not `quiet`, it may say nothing on stderr."""
    arguments = runner.arguments(target, program, options)
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with runner.start(arguments, **pipes, **rest) as process:
        running = Serving(process)
        try:
            yield running
        finally:
            code, error = running.end()
        if quiet:
            assert (code, error) == (0, ""), f"exit code {code}, on stderr: {error}"


def get(control: Control, port: int, host: str = TARGET, path: str = "/") -> str:
    """Ask an HTTP server from one of the namespaces; the body, or the error's name."""
    try:
        with control.connect((host, port)) as sock:
            return request(sock, path)
    except OSError as error:
        return type(error).__name__


def request(sock: socket.socket, path: str = "/") -> str:
    """One request on a connection that stays open; the body."""
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: target\r\n\r\n".encode())
    got = b""
    while b"\r\n\r\n" not in got:
        data = sock.recv(65536)
        if not data:
            raise ConnectionAbortedError(got)
        got += data
    head, _, body = got.partition(b"\r\n\r\n")
    lines = [line.lower() for line in head.split(b"\r\n")]
    if b"transfer-encoding: chunked" in lines:
        while not body.endswith(b"0\r\n\r\n"):
            body += sock.recv(65536)
        return body.split(b"\r\n")[1].decode()
    size = next(int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:"))
    while len(body) < size:
        body += sock.recv(65536)
    return body.decode()


def read_all(sock: socket.socket) -> bytes:
    """Everything until the other side ends."""
    return b"".join(iter(lambda: sock.recv(1 << 20), b""))


def free_port() -> int:
    """A port that nothing listens on here, nor in a target of the kit."""
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        port: int = server.getsockname()[1]
        return port


def configured(runner: Runner, **incoming: Any) -> list[str]:
    """Options for a configuration of incoming traffic."""
    config = runner.folder / f"incoming-{len(list(runner.folder.glob('incoming-*')))}.json"
    agent = {"agent": {"flush_connections": incoming.pop("flush")}} if "flush" in incoming else {}
    config.write_text(json.dumps(agent | {"feature": {"network": {"incoming": {"mode": "steal"} | incoming}}}))
    return ["-q", "-f", str(config)]


def answered_by_target(target: NetworkTarget, port: int) -> bool:
    """Whether the target's own server answers from outside and inside, and no rule is left, soon after a program's end."""
    expected = (f"target, to ::ffff:{PEER}\n", "target, to ::ffff:127.0.0.1\n", "")

    def answered() -> bool:
        return (get(target.peer, port), get(target.inside, port, "127.0.0.1"), target.rules()) == expected

    wait_until(answered, GRACE)
    return True


def wait_until(true: Callable[[], bool], seconds: float = 10) -> None:
    """Wait for what another process does without telling."""
    ended = threading.Event()
    timer = threading.Timer(seconds, ended.set)
    timer.start()
    try:
        while not true():
            assert not ended.is_set(), "it never came"
    finally:
        timer.cancel()
