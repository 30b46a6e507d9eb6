"""Requests to a cluster's API, as one user: JSON objects in and out, plain, as the server has them.

The kubernetes client's own calls make a value of each field of each object, which takes longer than the request where a
namespace is large; what is read of an answer here are a few fields.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import urllib3
from msgspec.structs import asdict
from urllib3.exceptions import (
    HTTPError,
    MaxRetryError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from mirrord_cli.cluster.access.driver import load_access
from mirrord_cli.cluster.api.machine import TRANSIENT, Refused, Retry, refusal
from mirrord_cli.cluster.objects import Json
from mirrord_cli.config.keys import Config
from mirrord_cli.errors import MirrordError
from mirrord_cli.session.access import Access
from mirrord_cli.session.reaching.driver import context_for
from mirrord_cli.session.reaching.machine import ForwardFailed, place_of, unreachable, untrusted

CONNECT, READ = 10.0, 30.0
"""Seconds for a connection, and for an answer."""
SLACK = 10.0
"""Seconds that a watch may be silent beyond its end."""
MOST = 64 << 20
"""Bytes of an answer."""
PATCH = "application/strategic-merge-patch+json"
AT_ONCE = 8
T = TypeVar("T")


class Api:
    """One cluster, as one user.

    Each call raises Refused where the server says no, and MirrordError where it can't be asked: unreachable, not
    trusted, credentials that don't count. What may be transient is tried again before.
    """

    def __init__(self, access: Access, namespace: str, retry: Retry) -> None:
        self.access = access
        self.namespace = namespace
        """The context's."""
        self._retry = retry
        try:
            self._place = place_of(access.server)
            self._pool = _pool(access)
        except ForwardFailed as error:
            raise MirrordError(error.category, error.text, error.next_step) from None
        except ValueError as error:
            text = f"A certificate, key or proxy of the kubeconfig can't be used: {error}."
            raise MirrordError("configuration", text, "Correct it, or log in to the cluster again.") from None

    def get(self, path: str, **query: str) -> Json:
        """Return an object or a list."""
        return self._ask("GET", path, query)

    def create(self, path: str, body: Json, **query: str) -> Json:
        """Create an object; after a lost answer that is tried again, so it may be refused as there already (409)."""
        return self._ask("POST", path, query, body)

    def patch(self, path: str, body: Json, content_type: str = PATCH, **query: str) -> Json:
        """Change an object."""
        return self._ask("PATCH", path, query, body, content_type)

    def delete(self, path: str, **query: str) -> None:
        """Delete an object; one that isn't there is deleted."""
        try:
            self._ask("DELETE", path, query)
        except Refused as refused:
            if refused.status != 404:
                raise

    def watch(self, path: str, *, seconds: float, **query: str) -> Iterator[tuple[str, Json]]:
        """Yield what is there and how it changes (`ADDED`, `MODIFIED`, `DELETED`), for some seconds.

        What is there is what the server remembers (version 0), which needs no question to its database. Where the server
        ends the watch early, it begins anew.
        """
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            asked = query | {"watch": "true", "resourceVersion": "0", "timeoutSeconds": str(max(1, round(left)))}
            with self._answer("GET", path, asked, timeout=left + SLACK) as response:
                try:
                    for line in _lines(response):
                        event = json.loads(line)
                        if event["type"] == "ERROR":
                            break  # expired, for instance
                        if event["type"] != "BOOKMARK":
                            yield event["type"], event["object"]
                except (ProtocolError, ReadTimeoutError):
                    pass

    def together(self, *calls: Callable[[], T]) -> list[T]:
        """Carry out calls at once; the first one's error is raised, in their order."""
        with ThreadPoolExecutor(min(len(calls), AT_ONCE)) as threads:
            return [future.result() for future in [threads.submit(call) for call in calls]]

    def _ask(
        self, method: str, path: str, query: Mapping[str, str], body: Json | None = None, kind: str = "application/json"
    ) -> Json:
        with self._answer(method, path, query, body, kind) as response:
            data = response.read(MOST + 1)
            if len(data) > MOST:
                raise MirrordError(
                    "cluster", f"The answer to {method} {path} is too large.", "Choose a smaller namespace."
                )
            answer = json.loads(data)
        assert isinstance(answer, dict)
        return answer

    def _answer(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Json | None = None,
        kind: str = "application/json",
        timeout: float = READ,
    ) -> Any:
        """Return a response whose status is right, with its body to be read."""
        url = f"{self.access.server.rstrip('/')}{path}{'?' + urlencode(query) if query else ''}"
        headers = urllib3.HTTPHeaderDict({"Accept": "application/json"})
        for name, value in self.access.headers:
            headers.add(name, value)
        data = None
        if body is not None:
            headers["Content-Type"], data = kind, json.dumps(body).encode()
        for attempt in range(self._retry.max_retries + 1):
            try:
                response = self._pool.request(
                    method,
                    url,
                    body=data,
                    headers=headers,
                    timeout=urllib3.Timeout(connect=CONNECT, read=timeout),
                    retries=False,
                    redirect=False,
                    preload_content=False,
                )
            except HTTPError as error:
                failure: Exception = self._unanswered(error)
                transient = not isinstance(error, SSLError)
            else:
                if response.status < 300:
                    return response
                with response:
                    failure = refusal(response.status, response.read(MOST), f"{method} {path}")
                transient = response.status in TRANSIENT
            pause = self._retry.pause(attempt) if transient else None
            if pause is None:
                break
            time.sleep(pause)
        raise failure

    def _unanswered(self, error: HTTPError) -> MirrordError:
        if isinstance(error, MaxRetryError) and isinstance(error.reason, HTTPError):
            error = error.reason
        match error:
            case SSLError() if "CERTIFICATE_VERIFY_FAILED" in str(error) or "match" in str(error):
                failed = untrusted(self._place, _why(error))
            case ProxyError():
                failed = unreachable(self._place, f"the proxy {urlsplit(self.access.proxy).hostname}: {_why(error)}")
            case _:
                failed = unreachable(self._place, _why(error))
        return MirrordError(failed.category, failed.text, failed.next_step)


def open_api(
    *,
    kubeconfig: str | None,
    context: str | None,
    accept_invalid_certificates: bool | None,
    use_proxy: bool,
    retry: Retry,
    variables: Mapping[str, str],
) -> Api:
    """Read the kubeconfig and return the cluster that it names; nothing is asked of that yet.

    Raises:
        MirrordError: It can't be used, or its plug-in gives no credentials.
    """
    loaded = load_access(
        kubeconfig=kubeconfig,
        context=context,
        accept_invalid_certificates=accept_invalid_certificates,
        use_proxy=use_proxy,
        variables=variables,
    )
    return Api(loaded.access, loaded.namespace, retry)


def open_configured(config: Config, variables: Mapping[str, str]) -> Api:
    """As `open_api`, with what the configuration says."""
    return open_api(
        kubeconfig=config.kubeconfig,
        context=config.kube_context,
        accept_invalid_certificates=config.accept_invalid_certificates,
        use_proxy=config.use_proxy,
        retry=Retry(**asdict(config.startup_retry)),
        variables=variables,
    )


def _pool(access: Access) -> Any:
    options: dict[str, Any] = {"maxsize": AT_ONCE, "ssl_context": context_for(access)}
    if not access.verify:
        options |= {"cert_reqs": "CERT_NONE", "assert_hostname": False}
        urllib3.disable_warnings()
    if access.server_name:
        options |= {"server_hostname": access.server_name, "assert_hostname": access.server_name}
    if access.proxy.startswith(("socks4", "socks5")):
        from urllib3.contrib.socks import SOCKSProxyManager

        return SOCKSProxyManager(access.proxy, **options)
    if access.proxy:
        credentials = urlsplit(access.proxy).netloc.rpartition("@")[0]
        headers = urllib3.make_headers(proxy_basic_auth=credentials) if credentials else {}
        return urllib3.ProxyManager(access.proxy, proxy_headers=headers, **options)
    return urllib3.PoolManager(**options)


def _lines(response: Any) -> Iterator[bytes]:
    buffer = bytearray()
    while piece := response.read1(1 << 16):
        buffer += piece
        if len(buffer) > MOST:
            raise MirrordError("cluster", "The cluster sends an object that is too large.", "Choose another target.")
        *lines, rest = bytes(buffer).split(b"\n")
        buffer = bytearray(rest)
        yield from filter(None, lines)


def _why(error: BaseException) -> str:
    """Return the innermost reason of an error that wraps others."""
    inner = error.__cause__ or error.__context__
    if isinstance(error, HTTPError) and inner is not None:
        return _why(inner)
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
