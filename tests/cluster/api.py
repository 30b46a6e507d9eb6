"""The cluster's API and the daemons' health, asked over HTTP as the administrator."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.request
from typing import Any

import dns.exception
import dns.message
import dns.query
import dns.rcode

from tests.cluster.layout import API_NAME, NODE, Layout

PATIENCE = 5


class Api:
    """What the administrator's certificate opens."""

    def __init__(self, layout: Layout) -> None:
        tls = ssl.create_default_context(cafile=str(layout.pki / "ca.crt"))
        tls.load_cert_chain(layout.pki / "admin.crt", layout.pki / "admin.key")
        direct = urllib.request.ProxyHandler({})
        self._opener = urllib.request.build_opener(direct, urllib.request.HTTPSHandler(context=tls))

    def healthy(self, url: str) -> bool:
        """Whether a URL answers 200."""
        return self._ask(urllib.request.Request(url)) is not None

    def get(self, path: str) -> Any:
        """Return an object of the API; none: there is none, or the API doesn't answer."""
        return self._json(urllib.request.Request(f"https://{NODE}:6443{path}"))

    def apply(self, path: str, content: dict[str, Any]) -> bool:
        """Make an object as `content` says, or change it to that; whether that was done."""
        return self._json(
            urllib.request.Request(
                f"https://{NODE}:6443{path}?fieldManager=mirrord&force=true",
                data=json.dumps(content).encode(),
                headers={"Content-Type": "application/apply-patch+yaml"},
                method="PATCH",
            )
        ) is not None  # fmt: skip

    def _json(self, request: urllib.request.Request) -> Any:
        answer = self._ask(request)
        return None if answer is None else json.loads(answer)

    def _ask(self, request: urllib.request.Request) -> bytes | None:
        try:
            with self._opener.open(request, timeout=PATIENCE) as answer:
                content: bytes = answer.read()
                return content
        except (OSError, http.client.HTTPException):  # URLError and its HTTPError are OSErrors
            return None


def resolves() -> bool:
    """Whether the name service knows the API's own name."""
    question = dns.message.make_query(API_NAME, "A")
    try:
        answer = dns.query.udp(question, NODE, timeout=PATIENCE)
    except (OSError, dns.exception.DNSException):
        return False
    return answer.rcode() == dns.rcode.NOERROR and bool(answer.answer)
