"""Where an API server is, from its address, and what a failed connection to it is to a person. No I/O."""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import urlsplit

from mirrord_cli.session.access import Access
from mirrord_cli.session.reaching.reasons import Trouble, explain

PORTS = {"https": 443, "http": 80}
NEXT = "Look whether `kubectl get pods` works; the kubeconfig may name another server, or a VPN may be off."
LOGIN = "Log in to the cluster again; `kubectl get pods` shows whether that works."
PASSING = frozenset({429, 500, 502, 503, 504})
"""Statuses of a server that has too much to do, or isn't whole just now."""
LONGEST = 400
"""Letters of a server's words that are shown."""


class ForwardFailed(Exception):
    """The API server, or the pod behind it, can't be reached.

    Args:
        category: Whose turn it is, as for SessionFailed.
        text: What went wrong, in whole sentences.
        next_step: What to do about it.
        passing: Whether it may be otherwise in a moment.
        absent: Whether what was asked for isn't there, to the server or to the node; it may be yet to come.
    """

    def __init__(
        self, category: str, text: str, next_step: str, *, passing: bool = False, absent: bool = False
    ) -> None:
        super().__init__(text)
        self.category = category
        self.text = text
        self.next_step = next_step
        self.passing = passing
        self.absent = absent


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server is."""

    host: str
    """A name or an address, without the brackets of IPv6."""
    port: int
    prefix: str
    """What its paths begin with; without a slash at the end."""
    secure: bool

    @property
    def authority(self) -> str:
        """As the header `Host` has it (RFC 9110, 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS["https" if self.secure else "http"] else f"{host}:{self.port}"


def place_of(server: str) -> Place:
    """Return where a server is.

    Raises:
        ForwardFailed: Its address isn't one.
    """
    try:
        parts = urlsplit(server)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in PORTS or not parts.hostname:
        text = f"The kubeconfig's address of the API server is none: {server!r}."
        raise ForwardFailed("configuration", text, "It begins with https:// and has a host.")
    return Place(parts.hostname, port or PORTS[parts.scheme], parts.path.rstrip("/"), parts.scheme == "https")


def unreachable(trouble: Trouble, access: Access) -> ForwardFailed:
    """Return what a server that can't be reached, or not be trusted, is to a person."""
    return ForwardFailed("cluster", *explain(trouble, access), passing=trouble.passing)


def refused(status: int, body: bytes, what: str, right: str) -> ForwardFailed:
    """Return what a server's refusal is to a person.

    Args:
        status: HTTP's.
        body: A `Status` object of Kubernetes, or anything.
        what: What was to be done: "connect to pod x".
        right: The verb and resource of RBAC that it takes.
    """
    said = message_of(body) or f"HTTP {status}"
    text = f"The cluster doesn't let you {what}: {said}."
    if status == 401:
        return ForwardFailed("cluster", text, LOGIN)
    if status == 403:
        return ForwardFailed(
            "cluster", text, f"It takes the right to {right}; `mirrord rbac` prints all that it takes."
        )
    if status == 404:
        return ForwardFailed("cluster", f"You can't {what}: {said}.", "It is gone; start anew.", absent=True)
    text = f"You can't {what}: {said}."
    return ForwardFailed("cluster", text, NEXT, passing=status in PASSING, absent=status == 400)


def message_of(body: bytes) -> str:
    """Return the `message` of a `Status` object, or the first line of what isn't one."""
    try:
        status = json.loads(body)
    except ValueError:
        return _first(body.decode(errors="replace"))
    message = status.get("message") if isinstance(status, dict) else None
    return _first(message) if isinstance(message, str) else ""


def _first(text: str) -> str:
    return (text.strip().splitlines() or [""])[0][:LONGEST].rstrip(".")
