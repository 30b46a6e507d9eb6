"""The request for a websocket, and answers: whole, byte by byte, refusals, and what is none."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrord_cli.session.forward.upgrade import MOST, NoAnswer, Upgrade
from mirrord_cli.session.reaching.machine import place_of

HEADERS = (("Authorization", "Bearer t"), ("Impersonate-Group", "a"), ("Impersonate-Group", "\xc3\xbc"))
PROTOCOLS = ("SPDY/3.1+portforward.k8s.io", "v4.channel.k8s.io")


def new(server: str = "https://api.test:6443/prefix") -> Upgrade:
    return Upgrade(place_of(server), "/path?ports=1", HEADERS, PROTOCOLS)


def accept_of(upgrade: Upgrade) -> str:
    key = next(line[19:] for line in upgrade.request.split(b"\r\n") if line.startswith(b"Sec-WebSocket-Key: "))
    assert len(base64.b64decode(key)) == 16
    return base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()


def answer(upgrade: Upgrade, protocol: str | None, accept: str | None = None) -> bytes:
    lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
    lines.append(f"Sec-WebSocket-Accept: {accept or accept_of(upgrade)}")
    if protocol is not None:
        lines.append(f"Sec-WebSocket-Protocol: {protocol}")
    return "\r\n".join([*lines, "", ""]).encode()


def test_the_request() -> None:
    lines = new().request.split(b"\r\n")

    assert lines[0] == b"GET /prefix/path?ports=1 HTTP/1.1"
    assert {
        b"Host: api.test:6443",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Protocol: SPDY/3.1+portforward.k8s.io, v4.channel.k8s.io",
        b"Authorization: Bearer t",
        b"Impersonate-Group: a",
        b"Impersonate-Group: \xc3\xbc",
    } <= set(lines)
    assert lines[-2:] == [b"", b""]
    assert new().request != new().request  # each has a key of its own


@pytest.mark.parametrize("server", ["http://[fd00::1]", "https://api.test:443"])
def test_the_host(server: str) -> None:
    assert f"Host: {place_of(server).authority}\r\n".encode() in new(server).request


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_an_answer(protocol: str, size: int) -> None:
    upgrade = new()
    data = b"HTTP/1.1 103 Early Hints\r\n\r\n" + answer(upgrade, protocol) + b"rest"
    whole = [upgrade.receive(data[start : start + size]) for start in range(0, len(data) - 4, size)]

    assert whole == [False] * (len(whole) - 1) + [True]
    assert (upgrade.status, upgrade.protocol) == (101, protocol)
    assert b"rest".startswith(upgrade.rest)


@pytest.mark.parametrize(
    ("protocol", "accept"), [(None, None), ("v5.channel.k8s.io", None), (PROTOCOLS[0], "AAAAAAAAAAAAAAAAAAAAAAAAAAA=")]
)
def test_another_protocol(protocol: str | None, accept: str | None) -> None:
    upgrade = new()

    assert upgrade.receive(answer(upgrade, protocol, accept))
    assert (upgrade.status, upgrade.protocol) == (101, "")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_refusal(chunked: bool) -> None:
    upgrade = new()
    body = b'{"kind": "Status", "message": "no"}'
    data = b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\n"
    if chunked:
        data += b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    else:
        data += b"Content-Length: %d\r\n\r\n%b" % (len(body), body)

    assert not upgrade.receive(data[:50])
    assert upgrade.receive(data[50:])
    assert (upgrade.status, upgrade.body, upgrade.protocol) == (403, body, "")


def test_a_refusal_that_ends_with_the_connection() -> None:
    upgrade = new()

    assert not upgrade.receive(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nno")
    assert upgrade.receive(b"")
    assert (upgrade.status, upgrade.body) == (400, b"no")


def test_a_long_refusal() -> None:
    upgrade = new()
    upgrade.receive(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 99999999\r\n\r\n")
    for _ in range(40):
        upgrade.receive(b"x" * (MOST // 20))

    assert len(upgrade.body) == MOST


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 30_000,
        b"HTTP/1.1 403 No\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 403 No\r\nContent-Length: 10\r\n\r\nshort",
        b"x" * 100_000,
        b"HTTP/1.1 101",
        b"",
    ],
)
def test_what_is_no_answer(data: bytes) -> None:
    upgrade = new()
    with pytest.raises(NoAnswer):
        if not data or not upgrade.receive(data):
            upgrade.receive(b"")


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=8))
def test_garbage(pieces: list[bytes]) -> None:
    upgrade = new()
    with pytest.raises(NoAnswer):
        for piece in [*pieces, b""]:
            assert not upgrade.receive(piece)
