"""The request that turns a connection into a websocket, and its answer (RFC 6455 4). No I/O.

The `websockets` library has this too, but refuses names of subprotocols with a slash, which Kubernetes has.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Sequence

import h11

from mirrord_cli.session.reaching.machine import Place

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
MOST = 1 << 20
"""Bytes of a refusal that are kept."""


class NoAnswer(Exception):
    """What came is no answer of HTTP, or was cut."""


class Upgrade:
    """One request and its answer.

    Args:
        place: The server.
        path: What is asked for, below the server's prefix.
        headers: What the request carries beside its own.
        protocols: Names of subprotocols, the best first.
    """

    def __init__(self, place: Place, path: str, headers: Sequence[tuple[str, str]], protocols: Sequence[str]) -> None:
        key = base64.b64encode(secrets.token_bytes(16))
        self._accept = base64.b64encode(hashlib.sha1(key + GUID, usedforsecurity=False).digest())
        self._protocols = protocols
        self._http = h11.Connection(h11.CLIENT)
        own = {
            "Host": place.authority,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": key.decode(),
            "Sec-WebSocket-Protocol": ", ".join(protocols),
        }
        fields = [(name.encode(), value.encode("latin-1")) for name, value in (*own.items(), *headers)]
        request = h11.Request(method="GET", target=f"{place.prefix}{path}", headers=fields)
        self.request = (self._http.send(request) or b"") + (self._http.send(h11.EndOfMessage()) or b"")
        """What is to be sent."""
        self.status = 0
        """The answer's; 101 if it is a websocket now."""
        self.body = b""
        """What the server says in a refusal."""
        self.protocol = ""
        """The subprotocol that the server has chosen; empty if it has chosen none, or isn't one that speaks websockets."""
        self.rest = b""
        """What came after the answer."""

    def receive(self, data: bytes) -> bool:
        """Take bytes, empty for the end; True once the answer is whole. Raises NoAnswer."""
        try:
            self._http.receive_data(data)
            while True:
                match self._http.next_event():
                    case h11.NEED_DATA:
                        return False
                    case h11.InformationalResponse(status_code=101, headers=headers):
                        self.status = 101
                        self.protocol = self._chosen(dict(headers))
                        self.rest = bytes(self._http.trailing_data[0])
                        return True
                    case h11.Response(status_code=status):
                        self.status = status
                    case h11.Data(data=piece):
                        self.body += piece[: MOST - len(self.body)]
                    case h11.EndOfMessage():
                        return True
                    case h11.ConnectionClosed() | h11.PAUSED:
                        raise NoAnswer
        except h11.RemoteProtocolError as error:
            raise NoAnswer from error

    def _chosen(self, headers: dict[bytes, bytes]) -> str:
        if headers.get(b"sec-websocket-accept") != self._accept:
            return ""
        chosen = headers.get(b"sec-websocket-protocol", b"").decode("latin-1")
        return chosen if chosen in self._protocols else ""
