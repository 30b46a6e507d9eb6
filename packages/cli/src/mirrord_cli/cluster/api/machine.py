"""What a server's answers and a connection's errors mean, and which are tried again. No I/O."""

from __future__ import annotations

import json

from msgspec import Struct

from mirrord_cli.errors import MirrordError
from mirrord_cli.session.reaching.machine import LOGIN, message_of

UNAUTHORIZED = 401
TRANSIENT = frozenset({429, 500, 502, 503, 504})
"""HTTP's answers of a server that may do better in a moment."""
DOUBLING = 2


class Refused(Exception):
    """The API server says no.

    Args:
        status: HTTP's.
        reason: The `reason` of its `Status` object: `Forbidden`, `NotFound`; empty where it says none.
        message: Its own words.
        what: The request: `GET /api/v1/namespaces/shop/pods`.
    """

    def __init__(self, status: int, reason: str, message: str, what: str) -> None:
        super().__init__(f"{what}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.what = what


class Retry(Struct, frozen=True, kw_only=True):
    """How often and how soon what is transient is tried again: `startup_retry`. Milliseconds."""

    min_ms: int = 500
    max_ms: int = 5000
    max_retries: int = 2

    def pause(self, attempt: int) -> float | None:
        """Return the seconds to wait before the attempt after this one, counted from 0; None for no more."""
        if attempt >= self.max_retries:
            return None
        return min(self.min_ms * DOUBLING**attempt, self.max_ms) / 1000


def refusal(status: int, body: bytes, what: str) -> Refused | MirrordError:
    """Return what a server's refusal is: for the caller to judge, but for credentials that don't count."""
    said = message_of(body) or f"HTTP {status}"
    if status == UNAUTHORIZED:
        text = f"The cluster doesn't take your credentials ({said}): they have expired, or aren't for this cluster."
        return MirrordError("cluster", text, LOGIN)
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    reason, message = "", said
    if isinstance(answer, dict):
        reason, message = str(answer.get("reason") or ""), str(answer.get("message") or said)
    return Refused(status, reason, message, what)
