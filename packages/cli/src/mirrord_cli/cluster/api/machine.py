"""What the API server's refusals and silence mean, what is asked again, and when. No I/O; driver.py asks.

The words for a server that can't be reached are those of the session, which reaches it as well:
../../session/reaching/reasons.py.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from mirrord_cli.cluster.objects import Json
from mirrord_cli.errors import MirrordError
from mirrord_cli.session.access import Access
from mirrord_cli.session.reaching.reasons import Trouble, explain

PASSING = frozenset({429, 500, 502, 503, 504})
"""Statuses of a server that has too much to do or isn't whole just now."""
GONE = 410
ANY = "0"
"""A resource version: what the server has at hand will do. Nothing that happens later is missed."""
SHOWN = 1000
"""Characters of the server's words."""
LONGEST = 32 << 20
"""Bytes of an event; an object has less than 2 MiB in the cluster's store."""


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """How often and how soon a question that failed in passing is asked again: `startup_retry`. Milliseconds."""

    min_ms: int = 500
    max_ms: int = 5000
    max_retries: int = 2

    def pause(self, attempt: int, after: str | None = None) -> float | None:
        """Return the seconds to wait before asking again; None: that was often enough.

        Args:
            attempt: How often was asked already, from 1.
            after: The header Retry-After, if the answer had one.
        """
        if attempt > self.max_retries:
            return None
        own = min(self.min_ms << min(attempt - 1, 30), self.max_ms) / 1000
        if after is not None and after.isascii() and after.isdigit():
            return min(max(own, float(after[:9])), self.max_ms / 1000)
        return own


class Refused(Exception):
    """The API server answered a question with an error, which may be an answer to whoever asked.

    Attributes:
        status: HTTP's.
        reason: The API's word for it (`NotFound`, `Forbidden`, `AlreadyExists`, `Invalid`); may be empty.
        message: The server's own words; never empty.
        what: What was asked: `GET /api/v1/namespaces/shop/pods`.
        details: The rest of what the server says (`Status.details`).
    """

    def __init__(
        self, status: int, reason: str, message: str, what: str, details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(f"{what}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.what = what
        self.details = details or {}


def refused(status: int, body: bytes, what: str) -> Refused:
    """Return what an answer with an error says: the API's `Status`, or a line of a text from whatever is in between."""
    try:
        told = json.loads(body)
    except ValueError:
        told = None
    if not isinstance(told, dict) or told.get("kind") != "Status":
        lines = body.decode(errors="replace").split("\n")
        line = next((line.strip() for line in lines if line.strip()), "")
        return Refused(status, "", line[:SHOWN] if line and not line.startswith("<") else f"HTTP {status}", what)
    details = told.get("details")
    return Refused(
        status,
        str(told.get("reason") or ""),
        str(told.get("message") or told.get("reason") or f"HTTP {status}")[:SHOWN],
        what,
        details if isinstance(details, dict) else {},
    )


def unauthorized(server: str, user: str, message: str) -> MirrordError:
    """Return what is told where the server doesn't take the credentials."""
    text = f"The API server {server} doesn't accept the credentials of {user}: {message}."
    return MirrordError("cluster", text, "They may have expired: sign in again, and try `kubectl get pods`.")


def unreachable(trouble: Trouble, access: Access) -> MirrordError:
    """Return what is told where the server can't be reached."""
    return MirrordError("cluster", *explain(trouble, access))


def unusable(why: str, user: str) -> MirrordError:
    """Return what is told of certificates and keys that are none."""
    text = f"With the credentials of {user} no connection can be made: {why}."
    return MirrordError("configuration", text, "Get a new kubeconfig.")


class Passing(Exception):
    """A question failed in a way that may pass.

    Attributes:
        reason: What is raised if it doesn't.
        after: The header Retry-After, if the answer had one.
        perhaps_done: Whether the server may have done what was asked all the same.
    """

    def __init__(self, reason: MirrordError | Refused, *, after: str | None = None, perhaps_done: bool) -> None:
        super().__init__(str(reason))
        self.reason = reason
        self.after = after
        self.perhaps_done = perhaps_done


class Expired(Exception):
    """What a watch goes on from isn't known to the server any more: it has to begin anew."""


class Events:
    """The events of a watch, from the pieces that a server sends: one JSON object a line."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._rest = b""
        self.version = ANY
        """What the watch begins with: the last object's, so that it goes on there if the connection breaks."""

    def receive(self, data: bytes) -> list[tuple[str, Json]]:
        """Return what has come: ADDED, MODIFIED or DELETED, and the object.

        Raises:
            Expired: It has to begin anew.
            Passing: It may go better another time.
            Refused: The server ended the watch with another error.
            MirrordError: It sent something else.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST:
            raise nonsense(self._what)
        return [event for line in lines if line.strip() and (event := self._event(line))]

    def begin_again(self, *, anew: bool) -> None:
        """Forget the line that was cut; and what to go on from if it begins anew."""
        self._rest = b""
        if anew:
            self.version = ANY

    def _event(self, line: bytes) -> tuple[str, Json] | None:
        try:
            told = json.loads(line)
            kind, found = told["type"], told["object"]
            if kind == "ERROR":
                raise self._error(found)
            self.version = found["metadata"]["resourceVersion"]
        except (ValueError, LookupError, TypeError, AttributeError):
            raise nonsense(self._what) from None
        return None if kind == "BOOKMARK" else (kind, found)

    def _error(self, status: Json) -> Exception:
        code = status.get("code")
        if code == GONE:
            return Expired()
        error = refused(code if isinstance(code, int) else 500, json.dumps(status).encode(), self._what)
        return Passing(error, perhaps_done=True) if error.status in PASSING else error


def read_object(answer: bytes, what: str) -> Json:
    """Return the object or list that an answer is. Raises MirrordError."""
    try:
        found = json.loads(answer)
    except ValueError:
        raise nonsense(what) from None
    if not isinstance(found, dict):
        raise nonsense(what)
    return found


def nonsense(what: str) -> MirrordError:
    """Return what is told where an answer isn't the API's."""
    text = f"Something that isn't a Kubernetes API server answered when asked to {what}."
    return MirrordError(
        "cluster", text, "Check `server` in the kubeconfig, and whether a proxy or a sign-in is in between."
    )
