"""Conversations with proxies: whole, byte by byte, refused, and with what is no proxy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrord_cli.session.reaching.proxying.machine import (
    Connect,
    Proxy,
    ProxyRefused,
    Socks,
    Tunnel,
    proxy_of,
    tunnel_by,
)

HTTP, SOCKS = proxy_of("http://p:3128"), proxy_of("socks5://p")
WITH_NAME = "http://al%40ice:p%3Aw@p", "socks5://al%40ice:p%3Aw@p"
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n"


@pytest.mark.parametrize(
    ("address", "proxy"),
    [
        ("http://p", Proxy("http", "p", 80, None, "")),
        ("https://p", Proxy("https", "p", 443, None, "")),
        ("socks5://[::1]", Proxy("socks5", "::1", 1080, None, "")),
        ("http://u@p:8080/", Proxy("http", "p", 8080, "u", "")),
        ("http://al%40ice:p%3Aw@p:1", Proxy("http", "p", 1, "al@ice", "p:w")),
    ],
)
def test_addresses(address: str, proxy: Proxy) -> None:
    assert proxy_of(address) == proxy


@pytest.mark.parametrize(
    ("host", "target"), [("api.test", b"api.test:6443"), ("10.0.0.1", b"10.0.0.1:6443"), ("::1", b"[::1]:6443")]
)
def test_connect(host: str, target: bytes) -> None:
    tunnel = tunnel_by(HTTP, host, 6443)

    assert tunnel.pull() == b"CONNECT " + target + b" HTTP/1.1\r\nHost: " + target + b"\r\n\r\n"
    assert tunnel.pull() == b""
    tunnel.receive(b"HTTP/1.1 100 Continue\r\n\r\n" + ESTABLISHED[:20])
    assert not tunnel.open
    tunnel.receive(ESTABLISHED[20:])
    assert tunnel.open


def test_connect_with_a_name() -> None:
    asked = Connect(proxy_of(WITH_NAME[0]), "h", 1).pull()

    assert b"Proxy-Authorization: Basic YWxAaWNlOnA6dw==\r\n" in asked


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (
            b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
            "answers 407 Proxy Authentication",
        ),
        (b"HTTP/1.0 403 \r\n\r\n", "answers 403"),
        (b"SSH-2.0-server\r\n\r\n", "speaks no HTTP"),
        (b"", "closed the connection"),
        (ESTABLISHED + b"\x16", "something else than the server"),
    ],
)
def test_connect_is_refused(answer: bytes, why: str) -> None:
    tunnel = tunnel_by(HTTP, "h", 1)

    with pytest.raises(ProxyRefused, match=why):
        tunnel.receive(answer)

    assert not tunnel.open


def test_an_endless_answer() -> None:
    tunnel = tunnel_by(HTTP, "h", 1)
    with pytest.raises(ProxyRefused, match="no HTTP"):
        for _ in range(100):
            tunnel.receive(b"x" * 4096)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("api.test", b"\3\x08api.test"),
        ("büro.test", b"\3\x10xn--bro-hoa.test"),
        ("10.0.0.1", b"\1\x0a\0\0\1"),
        ("::1", b"\4" + bytes(15) + b"\1"),
    ],
)
@pytest.mark.parametrize("bound", [b"\1\0\0\0\0\0\0", b"\3\4here\0\0", b"\4" + bytes(18)])
def test_socks(host: str, address: bytes, bound: bytes) -> None:
    tunnel = tunnel_by(SOCKS, host, 6443)

    assert tunnel.pull() == b"\5\1\0"
    tunnel.receive(b"\5")
    assert tunnel.pull() == b""
    tunnel.receive(b"\0")
    assert tunnel.pull() == b"\5\1\0" + address.replace(b"\x10xn", b"\x10xn") + b"\x19\x2b"
    for byte in b"\5\0\0" + bound:
        assert not tunnel.open
        tunnel.receive(bytes((byte,)))
    assert tunnel.open


def test_socks_with_a_name() -> None:
    tunnel = Socks(proxy_of(WITH_NAME[1]), "h", 1)

    assert tunnel.pull() == b"\5\2\0\2"
    tunnel.receive(b"\5\2")
    assert tunnel.pull() == b"\1\6al@ice\3p:w"
    tunnel.receive(b"\1\0")
    assert tunnel.pull() == b"\5\1\0\3\1h\0\1"


def test_socks_that_wants_no_name_after_all() -> None:
    tunnel = Socks(proxy_of(WITH_NAME[1]), "h", 1)
    tunnel.receive(b"\5\0")

    assert tunnel.pull() == b"\5\2\0\2\5\1\0\3\1h\0\1"


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ([b"\5\xff"], "wants a name and a password"),
        ([b"\5\2"], "wants a name and a password"),
        ([b"\4\0"], "speaks no SOCKS 5"),
        ([b"HT"], "speaks no SOCKS 5"),
        ([b""], "closed the connection"),
        ([b"\5\0", b"\4\0\0\1\0"], "speaks no SOCKS 5"),
        ([b"\5\0", b"\5\0\0\7\0"], "speaks no SOCKS 5"),
        ([b"\5\0", b"\5\5\0\1\0"], "the connection was refused"),
        ([b"\5\0", b"\5\x63\0\1\0"], "it answers 99"),
        ([b"\5\0", b"\5\0\0\1\0\0\0\0\0\0more"], "something else than the server"),
    ],
)
def test_socks_is_refused(answers: list[bytes], why: str) -> None:
    tunnel = tunnel_by(SOCKS, "h", 1)

    with pytest.raises(ProxyRefused, match=why):
        for answer in answers:
            tunnel.receive(answer)


def test_socks_does_not_take_the_name() -> None:
    tunnel = Socks(proxy_of(WITH_NAME[1]), "h", 1)
    tunnel.receive(b"\5\2")
    with pytest.raises(ProxyRefused, match="doesn't take the name"):
        tunnel.receive(b"\1\1")
    other = Socks(proxy_of(WITH_NAME[1]), "h", 1)
    with pytest.raises(ProxyRefused, match="takes no password"):
        other.receive(b"\5\xff")


def test_a_name_that_is_too_long() -> None:
    with pytest.raises(ProxyRefused, match="too long"):
        tunnel_by(SOCKS, "a" * 300, 1)


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=10), st.sampled_from([HTTP, SOCKS]))
def test_garbage_is_refused_or_waited_on(pieces: list[bytes], proxy: Proxy) -> None:
    tunnel: Tunnel = tunnel_by(proxy, "h", 1)
    try:
        for piece in pieces:
            tunnel.receive(piece)
    except ProxyRefused:
        assert not tunnel.open or pieces
