"""Questions to real servers, over TLS and by proxies; every way in which one can fail."""

from __future__ import annotations

import json
import socket
import ssl
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from answering import Answering, Asked, answer, answering
from certificates import Authority
from mirrord_cli.cluster.api.asking.driver import Asker
from mirrord_cli.cluster.api.machine import Passing, Refused
from mirrord_cli.errors import MirrordError
from mirrord_cli.session.access import Access
from proxies import proxy_server

CLUSTER, OTHER = Authority(), Authority()
CERTIFICATE, KEY = CLUSTER.user()
HEADERS = (("Authorization", "Bearer t"), ("Impersonate-Group", "a"), ("Impersonate-Group", "\xc3\xbc"))


def fine(_: Asked) -> bytes:
    return answer(200, b'{"a": 1}')


@pytest.fixture
def server() -> Iterator[Answering]:
    with answering(fine, CLUSTER.server("127.0.0.1", "api.test", users=CLUSTER)) as found:
        yield found


@contextmanager
def asker(server: str, **values: Any) -> Iterator[Asker]:
    given = {"server": server, "authorities": CLUSTER.pem, "certificate": CERTIFICATE, "key": KEY} | values
    found = Asker(Access(**given), "user u of context c")
    try:
        yield found
    finally:
        found.close()


def ask(server: str, **values: Any) -> bytes:
    with asker(server, **values) as found:
        return found.ask("GET", "/api", {})


def test_what_is_asked(server: Answering) -> None:
    with asker(server.url + "/prefix", headers=HEADERS) as found:
        assert found.ask("PATCH", "/api/x", {"a": "b c&d"}, b"{}", "application/x") == b'{"a": 1}'

    asked = server.asked[0]
    assert (asked.method, asked.target, asked.body) == ("PATCH", "/prefix/api/x?a=b+c%26d", b"{}")
    assert asked.header("authorization") == ["Bearer t"]
    assert asked.header("impersonate-group") == ["a", "\xc3\xbc"]
    assert asked.header("content-type") == ["application/x"]
    assert asked.header("accept") == ["application/json"]


def test_connections_are_kept(server: Answering) -> None:
    with asker(server.url) as found:
        for _ in range(3):
            found.ask("GET", "/api", {})

    assert server.connections == 1


def test_who_answers_with_a_redirection_is_no_api_server(server: Answering) -> None:
    server.respond = lambda _: answer(302, Location=server.url + "/login")
    with pytest.raises(Refused, match="HTTP 302"):
        ask(server.url)

    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("code", "kind"),
    [(400, Refused), (403, Refused), (404, Refused), (409, Refused), (422, Refused), (401, MirrordError),
     (429, Passing), (500, Passing), (503, Passing)],
)  # fmt: skip
def test_answers_that_are_errors(server: Answering, code: int, kind: type[Exception]) -> None:
    body = json.dumps({"kind": "Status", "message": "so it is", "reason": "So"}).encode()
    server.respond = lambda _: answer(code, body, Retry_After="3")

    with pytest.raises(kind, match="so it is") as caught:
        ask(server.url)

    if isinstance(caught.value, Passing):
        assert caught.value.after == "3"
        assert caught.value.perhaps_done == (code != 429)
    if isinstance(caught.value, MirrordError):
        assert "doesn't accept the credentials of user u of context c" in caught.value.text


@pytest.mark.parametrize(
    ("context", "text"),
    [
        (OTHER.server(users=CLUSTER), "can't be trusted: nobody who is trusted vouches"),
        (CLUSTER.server("x.test", users=CLUSTER), "can't be trusted: its certificate is for another name"),
        (CLUSTER.server(expired=True, users=CLUSTER), "can't be trusted: its certificate has expired"),
        (CLUSTER.server(early=True, users=CLUSTER), "can't be trusted: its certificate isn't valid yet"),
        (CLUSTER.server(users=OTHER), "doesn't take the user's certificate"),
    ],
)
def test_no_trust(context: ssl.SSLContext, text: str) -> None:
    with answering(fine, context) as server, pytest.raises(MirrordError, match=text) as caught:
        ask(server.url)

    assert caught.value.category == "cluster"


def test_no_trust_is_wanted() -> None:
    with answering(fine, OTHER.server("x.test", expired=True)) as server, warnings.catch_warnings():
        warnings.simplefilter("error")

        assert ask(server.url, verify=False) == b'{"a": 1}'


def test_the_certificates_name() -> None:
    with answering(fine, CLUSTER.server("kubernetes")) as server:
        assert ask(server.url, server_name="kubernetes") == b'{"a": 1}'


def test_nobody_there() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(Passing, match=r"can't be reached: the connection was refused.$") as caught:
            ask(f"https://127.0.0.1:{closed.getsockname()[1]}")

    assert not caught.value.perhaps_done
    assert isinstance(caught.value.reason, MirrordError)


def test_no_such_name() -> None:
    with pytest.raises(Passing, match="nobody knows its name"):
        ask("https://nobody.test")


def test_no_tls() -> None:
    with answering(fine) as server, pytest.raises(MirrordError, match="can't be spoken with"):
        ask(server.url.replace("http:", "https:"))


def test_plain_and_ipv6() -> None:
    with answering(fine, host="::1") as server:
        assert ask(server.url) == b'{"a": 1}'
    with answering(fine, CLUSTER.server(), host="::1") as server:
        assert ask(server.url) == b'{"a": 1}'


@pytest.mark.parametrize(
    "pieces",
    [
        [b""],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", b""],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{", b""],
    ],
)
def test_an_answer_that_is_cut(server: Answering, pieces: list[bytes]) -> None:
    server.respond = lambda _: iter(pieces)

    with pytest.raises(Passing, match="can't be reached") as caught:
        ask(server.url)

    assert caught.value.perhaps_done


def test_what_is_no_http(server: Answering) -> None:
    server.respond = lambda _: iter([b"SSH-2.0-x\r\n", b""])

    with pytest.raises(Passing, match="can't be reached"):
        ask(server.url)


def test_an_answer_that_never_ends(server: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mirrord_cli.cluster.api.asking.driver.MOST", 1000)
    server.respond = lambda _: answer(200, b"x" * 2000)

    with pytest.raises(MirrordError, match="isn't a Kubernetes API server"):
        ask(server.url)


def test_a_stream(server: Answering) -> None:
    server.respond = lambda _: iter(
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n", b"2\r\nbc\r\n", b"0\r\n\r\n"]
    )
    with asker(server.url) as found:
        assert list(found.stream("/api", {"watch": "true"}, 10)) == [b"a", b"bc"]


def test_a_stream_that_falls_silent(server: Answering) -> None:
    def silent() -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"
        assert got.recv(1) == b"x"
        yield b""

    got, gives = socket.socketpair()
    server.respond = lambda _: silent()
    with got, gives, asker(server.url) as found:
        assert list(found.stream("/api", {}, 0.05)) == [b"a"]
        gives.send(b"x")


def test_material_that_is_none() -> None:
    with pytest.raises(MirrordError, match="credentials of user u of context c no connection"):
        ask("https://127.0.0.1:1", key=b"no")


@pytest.mark.parametrize(
    ("scheme", "user"), [("http", ""), ("http", "al:pw"), ("https", "al:pw"), ("socks5", ""), ("socks5", "al:pw")]
)
def test_by_a_proxy(
    server: Answering, scheme: str, user: str, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    machine = Authority()
    trust = f"{tmp_path}/ca.crt"
    machine.ca.cert_pem.write_to_path(trust)
    monkeypatch.setenv("SSL_CERT_FILE", trust)
    context = machine.server() if scheme == "https" else None
    with proxy_server(scheme, user, context, {"api.test": "127.0.0.1"}) as proxy:
        url = f"https://api.test:{server.port}"

        assert ask(url, proxy=proxy.url) == b'{"a": 1}'
        assert proxy.tunnels == [f"api.test:{server.port}"]

        if user:
            with pytest.raises(MirrordError, match="doesn't lead to the API server") as caught:
                ask(url, proxy=proxy.url.replace("pw", "no"))
            assert ("407" if scheme != "socks5" else "name and the password") in caught.value.text
            assert "pw" not in caught.value.text


@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_a_proxy_that_can_not(scheme: str) -> None:
    with socket.socket() as closed, proxy_server(scheme) as proxy:
        closed.bind(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{closed.getsockname()[1]}"

        with pytest.raises(MirrordError, match="it answers 502" if scheme == "http" else "the connection was refused"):
            ask(url, proxy=proxy.url)
    with pytest.raises(MirrordError, match=f"The proxy {proxy.url} doesn't lead to .* the connection was refused"):
        ask(url, proxy=proxy.url)  # which is gone
