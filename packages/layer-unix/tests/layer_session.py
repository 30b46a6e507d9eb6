"""A scripted session: link, table and answers of layer_remote.py, and programs run under the layer against it.

`with scripted_session(truth, scratch) as session: session.run(program, session.path("file"))`. One thread takes
questions from the link and from the abstract socket; each question is answered by a thread of its own, since some wait.
"""

from __future__ import annotations

import array
import fcntl
import os
import secrets
import selectors
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from layer_remote import BASE, Remote
from layer_table import ASK, LOCAL, Prefix, SharedTable, encode_table
from mirrord_protocol.layer_values import LayerRequest
from mirrord_protocol.messages import decode_layer_request, encode_layer_reply

LAYER_REQUEST_SIZE = 64
HIGH = 950
"""Above it are the descriptors that programs inherit."""


def devices(scratch: Path) -> tuple[int, int, int]:
    """The devices of memfds, of temporary files and of stand-in directories."""
    memory = os.memfd_create("device")
    try:
        return os.fstat(memory).st_dev, scratch.stat().st_dev, scratch.stat().st_dev
    finally:
        os.close(memory)


def place_high(fd: int) -> int:
    """Move a descriptor above HIGH."""
    high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, HIGH)
    os.close(fd)
    return high


class Session:
    """A session that a test scripts through `remote` and watches through `asked`."""

    def __init__(self, truth: Path, scratch: Path, library: Path, names: Sequence[bytes] = (), flags: int = 0) -> None:
        prefixes = [Prefix(b"/", LOCAL), Prefix(BASE, ASK)]
        table = encode_table(devices=devices(scratch), prefixes=prefixes, names=names, flags=flags, slots=1024)
        self.table = SharedTable(table)
        self.table_fd = place_high(self.table.fd)
        self.table.fd = self.table_fd
        self.remote = Remote(truth, scratch, self.table)
        self.library = library
        self.preload: list[str] = []
        """What must be loaded before the layer: the sanitizers' runtime."""
        self.environment: dict[str, str] = {}
        """What every program gets besides."""
        self.before: Callable[[LayerRequest, bytes], None] | None = None
        """Called in the answering thread before each answer; may wait."""
        self.after: Callable[[LayerRequest], None] | None = None
        """The same, once the answer was sent."""
        self.connections = 0
        """How often a program came back by the abstract socket."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.link_fd = place_high(theirs.detach())
        self.name = f"mirrord-test-{secrets.token_hex(8)}"
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(b"\0" + self.name.encode())
        self._listener.listen()
        self._selector = selectors.DefaultSelector()
        self._stop, self._wake = socket.socketpair()
        for end in (ours, self._listener, self._stop):
            self._selector.register(end, selectors.EVENT_READ)
        self._answering: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def variable(self) -> str:
        """The value of MIRRORD_LAYER."""
        link, table = os.fstat(self.link_fd).st_ino, os.fstat(self.table_fd).st_ino
        return f"1:{self.link_fd}:{link}:{self.table_fd}:{table}:{self.name}"

    def path(self, *parts: str) -> str:
        """A remote path."""
        return os.path.join(os.fsdecode(BASE), *parts)

    def environ(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment of a program under the layer."""
        preload = ":".join([*self.preload, str(self.library)])
        return {
            **os.environ,
            "LD_PRELOAD": preload,
            "MIRRORD_LAYER": self.variable,
            **self.environment,
            **(extra or {}),
        }

    def start(self, *command: str, env: Mapping[str, str] | None = None, **options: Any) -> subprocess.Popen[bytes]:
        """Start a program under the layer."""
        options["pass_fds"] = (self.link_fd, self.table_fd, *options.get("pass_fds", ()))
        return subprocess.Popen(command, env=self.environ(env), **options)

    def run(
        self, *command: str, env: Mapping[str, str] | None = None, check: bool = True, **options: Any
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a program under the layer to its end; it must succeed unless `check` is off."""
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        with self.start(*command, env=env, **options) as program:
            try:
                out, err = program.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                program.send_signal(signal.SIGKILL)
                raise
        done = subprocess.CompletedProcess(command, program.returncode, out, err)
        if check and done.returncode != 0:
            raise AssertionError(
                f"{command} ended with {done.returncode}\n{(out or b'').decode()}{(err or b'').decode()}"
            )
        return done

    @property
    def asked(self) -> list[tuple[str, bytes]]:
        """Every question so far: operation and payload."""
        return self.remote.asked

    def _serve(self) -> None:
        while True:
            for key, _ in self._selector.select():
                end = key.fileobj
                assert isinstance(end, socket.socket)
                if end is self._stop:
                    return
                if end is self._listener:
                    self.connections += 1
                    self._selector.register(end.accept()[0], selectors.EVENT_READ)
                else:
                    self._take(end)

    def _take(self, end: socket.socket) -> None:
        data, fds, _, _ = socket.recv_fds(end, 1 << 16, 1)
        if not data:
            self._selector.unregister(end)
            end.close()
            return
        channel = socket.socket(fileno=fds[0])
        answering = threading.Thread(target=self._answer, args=(channel, data))
        self._answering = [thread for thread in self._answering if thread.is_alive()] + [answering]
        answering.start()

    def _answer(self, channel: socket.socket, data: bytes) -> None:
        with channel:
            request, payload = decode_layer_request(data[:LAYER_REQUEST_SIZE]), data[LAYER_REQUEST_SIZE:]
            assert len(payload) == request.payload
            if self.before:
                self.before(request, payload)
            answer = self.remote.answer(request, payload)
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", answer.fds))] if answer.fds else []
            with suppress(BrokenPipeError, ConnectionResetError):  # a program may be killed while it waits
                channel.sendmsg([encode_layer_reply(answer.reply), answer.payload], rights)
            for fd in answer.fds:
                os.close(fd)
        if self.after:
            self.after(request)

    def die(self) -> None:
        """End as a killed session would: every socket of it is closed."""
        if self._thread.is_alive():
            self._wake.send(b"x")
            self._thread.join()
            for key in list(self._selector.get_map().values()):
                assert isinstance(key.fileobj, socket.socket)
                key.fileobj.close()
            self._selector.close()
            self._wake.close()

    def close(self) -> None:
        """End, and give everything back."""
        self.die()
        for thread in self._answering:
            thread.join()
        os.close(self.link_fd)
        self.table.close()
        self.remote.close()


@contextmanager
def scripted_session(
    truth: Path, scratch: Path, library: Path, *, names: Sequence[bytes] = (), flags: int = 0
) -> Iterator[Session]:
    """Make a session for the tree `truth`; `scratch` is where its temporary files are made."""
    session = Session(truth, scratch, library, names, flags)
    try:
        yield session
    finally:
        session.close()
