"""Requests from a pod of the cluster: one process there, kept, that asks what it is told to ask."""

from __future__ import annotations

import base64
import json
import select
import subprocess
from dataclasses import dataclass
from typing import Self

from tests.e2e.kit.cluster import Cluster

PATIENCE = 60


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request."""

    status: int
    """0: no answer, and the body says why."""
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")


class Client:
    """Asks from the pod `client` of a namespace."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        command = [cluster.program, f"--kubeconfig={cluster.kubeconfig}", "exec", "-i", "-n", namespace, "client", "--"]
        command += ["python3", "-u", "/shop/client.py"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin and self._process.stdout
        # The pod goes with its namespace; kubectl may take a minute to notice that its command has ended.
        self._process.kill()
        self._process.wait(PATIENCE)
        self._process.stdin.close()
        self._process.stdout.close()

    def get(self, url: str) -> Answer:
        """Ask for a URL, `http://` left out."""
        return self._ask({"url": f"http://{url}"})

    def post(self, url: str, body: bytes) -> Answer:
        """Send something to a URL."""
        return self._ask({"url": f"http://{url}", "body": base64.b64encode(body).decode()})

    def _ask(self, request: dict[str, str]) -> Answer:
        process = self._process
        assert process.stdin and process.stdout
        line = memoryview(json.dumps(request).encode() + b"\n")
        while line:
            line = line[process.stdin.write(line) or 0 :]
        got = b""
        while not got.endswith(b"\n"):
            assert select.select([process.stdout], [], [], PATIENCE)[0], f"the client doesn't answer {request['url']}"
            part = process.stdout.read(1 << 20)
            assert part, f"the client ended at {request['url']}"
            got += part
        answer = json.loads(got)
        return Answer(answer["status"], base64.b64decode(answer["body"]))
