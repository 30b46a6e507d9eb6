"""An API server that has the objects of a test: over real HTTP, in pages, with the refusals of a real one."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from mirrord_cli.cluster.objects import Json


class Server(ThreadingHTTPServer):
    """Serves `objects` by path; a list is a `list`, and a status of HTTP is an `int`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.objects: dict[str, Any] = {}
        self.page = 500
        """Objects in a page at most, whatever is asked for."""
        self.forgets = False
        """Whether it has forgotten where the pages began, once somebody asks for the second."""
        self.asked: list[tuple[str, dict[str, str]]] = []

    @property
    def url(self) -> str:
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"

    def kubeconfig(self, path: Path) -> Path:
        """Write a kubeconfig for it, whose context's namespace is `shop`."""
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": self.url}}],
            "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
        }))  # fmt: skip
        return path


class Handler(BaseHTTPRequestHandler):
    """Answers GET as an API server does."""

    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer one question."""
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.server.asked.append((parts.path, query))
        match self.server.objects.get(parts.path, 404):
            case int() as code:
                self._say(code, self._refusal(code, parts.path))
            case list() as found:
                self._list(found, query)
            case found:
                self._say(200, found)

    def _list(self, found: list[Json], query: dict[str, str]) -> None:
        start, limit = int(query.get("continue", "0")), min(int(query.get("limit", 1 << 30)), self.server.page)
        if start and self.server.forgets:
            self._say(
                410, {"kind": "Status", "reason": "Expired", "message": "The provided continue parameter is too old"}
            )
            return
        if "limit" not in query:
            limit = len(found)
        metadata = {"continue": str(start + limit)} if start + limit < len(found) else {}
        self._say(200, {"kind": "List", "metadata": metadata, "items": found[start : start + limit]})

    def _refusal(self, code: int, path: str) -> Json | None:
        if code == 404 and "argoproj.io" in path:
            return None  # an API that isn't there
        reason = {403: "Forbidden", 404: "NotFound"}[code]
        return {"kind": "Status", "reason": reason, "message": f"{path.rpartition('/')[2]}: {reason}"}

    def _say(self, code: int, found: Json | None) -> None:
        body = b"404 page not found\n" if found is None else json.dumps(found).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def serving() -> Iterator[Server]:
    """A server that runs."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
