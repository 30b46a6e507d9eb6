"""Addresses as text, against the C library's own functions."""

from __future__ import annotations

import itertools
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrord_agent.names.numeric import aton, pton4, pton6, scope_number, scoped, takes_interface, unmapped

PARTS = ("0", "1", "255", "256", "07", "08", "0x1f", "0X", "", "65536", "16777216", "-1", "1 ", "١")


def system(text: str) -> bytes | None:
    """What inet_aton says; Python's takes anything after a space."""
    try:
        return socket.inet_aton(text)
    except (OSError, UnicodeError):
        return None


def test_short_forms() -> None:
    for count in range(1, 5):
        for parts in itertools.product(PARTS, repeat=min(count, 3)):
            text = ".".join((*parts, *["1"] * (count - len(parts))))
            if " " not in text:
                assert aton(text.encode()) == system(text), text
    assert aton(b"1.2.3.4.5") is None
    assert aton(b"4294967296") is None


@pytest.mark.parametrize("text", ["1.2.3.4", "1.2.3", "01.2.3.4", "0x1.2.3.4", "1.2.3.4 ", "::1", ""])
def test_full_forms(text: str) -> None:
    try:
        expected: bytes | None = socket.inet_pton(socket.AF_INET, text)
    except OSError:
        expected = None
    assert pton4(text.encode()) == expected


@pytest.mark.parametrize(
    "text", ["::1", "::", "fe80::1", "::ffff:1.2.3.4", "1::2::3", "12345::", "::1%lo", "1.2.3.4", ""]
)
def test_ipv6(text: str) -> None:
    try:
        expected: bytes | None = socket.inet_pton(socket.AF_INET6, text)
    except OSError:
        expected = None
    assert pton6(text.encode()) == expected
    assert pton6(b"\xff") is None


def test_scopes() -> None:
    link_local = socket.inet_pton(socket.AF_INET6, "fe80::1")
    assert scoped(b"fe80::1%eth0") == (link_local, b"eth0")
    assert scoped(b"fe80::1") == (link_local, b"")
    assert scoped(b"fe80::1%") is None
    assert scoped(b"1.2.3.4%eth0") is None
    for text, takes in (
        ("fe80::1", True),
        ("febf::", True),
        ("fec0::", False),
        ("ff02::1", True),
        ("ff05::1", False),
        ("::1", False),
    ):
        assert takes_interface(socket.inet_pton(socket.AF_INET6, text)) is takes, text


def test_numbers_of_any_length() -> None:
    assert aton(b"1" * 5000) is None
    assert scope_number(b"9" * 5000) is None
    assert scope_number(b"7") == 7
    assert scope_number(b"eth0") is None
    assert scoped(b"fe80::1%a\0b") is None


@given(st.binary(max_size=40))
def test_garbage(data: bytes) -> None:
    assert len(aton(data) or bytes(4)) == 4
    assert len(pton4(data) or bytes(4)) == 4
    assert len(pton6(data) or bytes(16)) == 16
    assert scoped(data) is None or len(scoped(data) or ()) == 2


def test_mapped() -> None:
    assert unmapped(socket.inet_pton(socket.AF_INET6, "::ffff:1.2.3.4")) == bytes([1, 2, 3, 4])
    for host in (bytes(4), bytes(16), b""):
        assert unmapped(host) == host
