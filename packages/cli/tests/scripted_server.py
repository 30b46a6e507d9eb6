"""An API server of the test's own: it answers what a script says, and keeps what it was asked. Plain HTTP on loopback.

Answers are by method and path; a watch gets what `tell` sends to its path, also what was sent before it began, and ends
when the server does.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from mirrord_cli.cluster.api.driver import Api
from mirrord_cli.cluster.api.machine import Retry
from mirrord_cli.cluster.objects import Json
from mirrord_cli.session.access import Access

PATIENCE = 10.0  # seconds


@dataclass(frozen=True, slots=True)
class Asked:
    method: str
    path: str
    query: dict[str, str]
    body: Json | None


Answer = tuple[int, Json] | Callable[[Asked], tuple[int, Json]]


@dataclass
class ApiServer:
    """What it answers, and what it was asked."""

    url: str = ""
    answers: dict[tuple[str, str], Answer] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    told: dict[str, list[Json]] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)
    over: bool = False

    def answer(self, method: str, path: str, answer: Answer) -> None:
        self.answers[method, path] = answer

    def refuse(self, method: str, path: str, status: int, message: str, reason: str = "Forbidden") -> None:
        self.answer(method, path, (status, failure(status, message, reason)))

    def tell(self, path: str, change: str, thing: Json) -> None:
        """Tell whoever watches this path, and will."""
        with self.changed:
            self.told.setdefault(path, []).append({"type": change, "object": thing})
            self.changed.notify_all()

    def wait_asked(self, method: str, path: str) -> Asked:
        """Wait until this was asked, and return the first."""
        with self.changed:
            assert self.changed.wait_for(lambda: self._first(method, path) is not None, PATIENCE), f"no {method} {path}"
        found = self._first(method, path)
        assert found is not None
        return found

    def methods(self) -> list[str]:
        return [f"{asked.method} {asked.path}" for asked in self.asked]

    def _first(self, method: str, path: str) -> Asked | None:
        return next((asked for asked in self.asked if (asked.method, asked.path) == (method, path)), None)


def failure(status: int, message: str, reason: str) -> Json:
    """A refusal as the API words it."""
    kind = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    return kind | {"message": message, "reason": reason, "code": status}


@contextmanager
def api_server() -> Iterator[ApiServer]:
    """Serve until the block ends."""
    served = ApiServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            asked = Asked(self.command, parts.path, dict(parse_qsl(parts.query)), body)
            with served.changed:
                served.asked.append(asked)
                served.changed.notify_all()
            if asked.query.get("watch") in {"true", "1", "True"} and (asked.method, asked.path) not in served.answers:
                self._watch(asked.path)
                return
            answer = served.answers.get((asked.method, asked.path), (404, failure(404, "not scripted", "NotFound")))
            status, thing = answer(asked) if callable(answer) else answer
            data = json.dumps(thing).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _watch(self, path: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            sent = 0
            while True:
                with served.changed:
                    while not served.over and len(served.told.get(path, [])) == sent:
                        served.changed.wait()
                    told = served.told.get(path, [])[sent:]
                if not told:
                    self.wfile.write(b"0\r\n\r\n")
                    return
                for line in told:
                    data = json.dumps(line).encode() + b"\n"
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
                sent += len(told)

        do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 - the library's names

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    served.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield served
    finally:
        with served.changed:
            served.over = True
            served.changed.notify_all()
        server.shutdown()
        thread.join()
        server.server_close()


def open_to(server: ApiServer) -> Api:
    """The server as the command line reaches it."""
    return Api(Access(server=server.url), "default", Retry(max_retries=0))
