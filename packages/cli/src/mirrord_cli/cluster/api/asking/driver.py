"""Asks the API server once, over a pool of connections (urllib3), which is loaded here.

What is asked, and asked again, is ../driver.py's business; what an error means is ../machine.py's and that of
../../../session/reaching/reasons.py.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from mirrord_cli.cluster.api.machine import PASSING, Passing, nonsense, refused, unauthorized, unreachable, unusable
from mirrord_cli.session.access import Access
from mirrord_cli.session.reaching.proxying.machine import ProxyRefused, proxy_of
from mirrord_cli.session.reaching.reasons import LASTING, Kind, Trouble, phrase
from mirrord_cli.session.reaching.securing.driver import BadMaterial, tls_context, trouble_of

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager
    from urllib3.exceptions import HTTPError

CONNECT = 10.0
"""Seconds for a connection."""
READ = 30.0
"""Seconds without a byte of an answer."""
MOST = 256 << 20
"""Bytes of an answer."""
AT_ONCE = 8
"""Connections that are kept."""
MOST_OF_ERROR = 1 << 20
PIECE = 256 << 10
SOCKET = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
)
"""A watch is silent for long: the kernel sees after half a minute that the network is cut."""
TUNNEL = re.compile(r"Tunnel connection failed: (.*)")
"""What http.client says of a proxy's answer."""


class Asker:
    """Asks one server as one user. Several threads may at once.

    Args:
        access: The server, and how.
        user: Who asks, for a person.
    """

    def __init__(self, access: Access, user: str) -> None:
        self._access = access
        self._user = user
        try:
            self._pool = _pool(access)
        except BadMaterial as error:
            raise unusable(str(error), user) from None

    def close(self) -> None:
        """Close the connections; another question makes new ones."""
        self._pool.clear()

    def ask(
        self, method: str, path: str, query: Mapping[str, str], body: bytes | None = None, content_type: str = ""
    ) -> bytes:
        """Return an answer that is no error.

        Args:
            method: HTTP's.
            path: From `/api` or `/apis` on.
            query: Parameters.
            body: What is sent.
            content_type: What that is.

        Raises:
            Passing: It may go better another time.
            Refused: The server answered with an error that doesn't pass.
            MirrordError: It can't be reached, or doesn't take the credentials.
        """
        with self._open(method, path, query, READ, body, content_type) as response:
            return _read(response, MOST, method, path)

    def stream(self, path: str, query: Mapping[str, str], patience: float) -> Iterator[bytes]:
        """Yield the pieces of an answer as they come, until it ends or nothing has come for so many seconds.

        Raises as `ask` does.
        """
        with self._open("GET", path, query, patience) as response:
            yield from _pieces(response)

    @contextmanager
    def _open(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        patience: float,
        body: bytes | None = None,
        content_type: str = "",
    ) -> Iterator[BaseHTTPResponse]:
        from urllib3 import HTTPHeaderDict, Timeout, exceptions

        headers = HTTPHeaderDict({"Accept": "application/json", "User-Agent": "mirrord"})
        for name, value in self._access.headers:
            headers.add(name, value)
        if body is not None:
            headers.add("Content-Type", content_type)
        answered = False
        try:
            response = self._pool.request(
                method,
                f"{self._access.server}{path}{'?' if query else ''}{urlencode(query)}",
                body=body,
                headers=headers,
                redirect=False,
                preload_content=False,
                timeout=Timeout(connect=CONNECT, read=patience),
            )
            answered = True
            try:
                if not 200 <= response.status < 300:
                    raise self._refusal(response, method, path)
                yield response
            finally:
                response.close()  # the connection too, unless all was read
        except exceptions.HTTPError as error:
            trouble = _trouble(error)
            reason = unreachable(trouble, self._access)
            if trouble.kind in LASTING:
                raise reason from None
            raise Passing(reason, perhaps_done=answered or not _before_asking(error)) from None

    def _refusal(self, response: BaseHTTPResponse, method: str, path: str) -> Exception:
        error = refused(response.status, _read(response, MOST_OF_ERROR, method, path), f"{method} {path}")
        if response.status == 401:
            return unauthorized(self._access.server, self._user, error.message)
        if response.status in PASSING:
            return Passing(error, after=response.headers.get("Retry-After"), perhaps_done=response.status >= 500)
        return error


def _read(response: BaseHTTPResponse, most: int, method: str, path: str) -> bytes:
    read = bytearray()
    for piece in response.stream(PIECE):
        read += piece
        if len(read) > most:
            raise nonsense(f"{method} {path}")
    return bytes(read)


def _pieces(response: BaseHTTPResponse) -> Iterator[bytes]:
    from urllib3.exceptions import ReadTimeoutError

    with suppress(ReadTimeoutError):
        yield from response.stream(PIECE)


def _before_asking(error: Exception) -> bool:
    """Whether it went wrong before anything can have been asked."""
    from urllib3.exceptions import ConnectTimeoutError, ProxyError, SSLError

    return isinstance(error, ConnectTimeoutError | ProxyError | SSLError)


def _trouble(error: HTTPError) -> Trouble:
    """Return what an error of urllib3 means: that of the system which is wrapped in it, if there is one."""
    from urllib3.exceptions import ProxyError
    from urllib3.exceptions import TimeoutError as TimedOut

    inner = next((each for each in _inside(error) if isinstance(each, OSError | ProxyRefused)), None)
    if isinstance(inner, ProxyRefused):
        return Trouble(Kind.PROXY, str(inner))
    if inner is not None and (answer := TUNNEL.match(str(inner))):
        return Trouble(Kind.PROXY, f"it answers {answer[1]}")
    if inner is not None:
        trouble = trouble_of(inner)
    elif isinstance(error, TimedOut):
        trouble = Trouble(Kind.SILENT)
    else:
        trouble = Trouble(Kind.BROKEN, "the connection was closed in the middle of an answer")
    return Trouble(Kind.PROXY, phrase(trouble)) if isinstance(error, ProxyError) else trouble


def _inside(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those wrapped in it, in all the ways that libraries have."""
    yield error
    for inner in (error.__cause__, error.__context__, *error.args):
        if isinstance(inner, BaseException):
            yield from _inside(inner)


def _pool(access: Access) -> PoolManager:
    import urllib3

    context = tls_context(access)
    options: dict[str, Any] = {"maxsize": AT_ONCE, "retries": False, "socket_options": SOCKET}
    if context is not None:
        options |= {"ssl_context": context, "cert_reqs": context.verify_mode}
    if access.server_name:
        options["server_hostname"] = access.server_name
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # the user has asked for it
    if not access.proxy:
        return urllib3.PoolManager(**options)
    proxy = proxy_of(access.proxy)
    if proxy.scheme == "socks5":
        from mirrord_cli.cluster.api.tunnel.driver import pools_by

        pool = urllib3.PoolManager(**options)
        pool.pool_classes_by_scheme = pools_by(proxy)
        return pool
    headers = {}
    if proxy.name is not None:
        headers = urllib3.make_headers(proxy_basic_auth=f"{proxy.name}:{proxy.password}")
    return urllib3.ProxyManager(
        access.proxy, proxy_headers=headers, proxy_ssl_context=ssl.create_default_context(), **options
    )
