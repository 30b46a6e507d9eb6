"""Addresses in payloads, for sockets of both families."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrord_cli.session.network.actions import Family
from mirrord_cli.session.network.addresses import (
    as_seen_by,
    family_of,
    mapped,
    plain,
    read_addresses,
    read_unix,
    write_loopback,
    write_pair,
)
from mirrord_protocol.network_values import UnixAddress
from session_network import IPV6, IPV6_ONLY, UNIX, at, packed, shown, unpacked


@given(st.binary(max_size=80), st.integers(1, 2))
def test_any_payload(payload: bytes, count: int) -> None:
    found = read_addresses(payload, count)

    assert found is None or (len(found) == count and len(payload) == 24 * count)


def test_addresses() -> None:
    pair = at("10.0.0.1:80"), at("[fd00::1]:443")

    assert read_addresses(packed(*pair), 2) == pair
    assert read_addresses(packed(*pair), 1) is None
    assert read_addresses(b"\x05" + bytes(23), 1) is None


@pytest.mark.parametrize(
    ("payload", "path"),
    [(b"/run/a", b"/run/a"), (b"/run/a\0\0", b"/run/a"), (b"\0name\0", b"\0name\0"), (b"", None), (b"\0", None),
     (b"/" + b"x" * 107, b"/" + b"x" * 107), (b"/" + b"x" * 108, None)],
)  # fmt: skip
def test_unix(payload: bytes, path: bytes | None) -> None:
    assert read_unix(payload) == (None if path is None else UnixAddress(path))


def test_families() -> None:
    flags = {0: Family.IPV4, IPV6: Family.MAPPED, IPV6 | IPV6_ONLY: Family.IPV6, UNIX: Family.UNIX}

    assert {each: family_of(each) for each in flags} == flags
    assert [unpacked(write_loopback(family, 7)) for family in (Family.IPV4, Family.MAPPED, Family.IPV6)] == [
        ("127.0.0.1:7",), ("[::ffff:127.0.0.1]:7",), ("[::1]:7",),
    ]  # fmt: skip


def test_ipv4_inside_ipv6() -> None:
    four, inside, six = at("10.0.0.1:80"), at("[::ffff:10.0.0.1]:80"), at("[fd00::1]:80")

    assert (plain(inside), plain(four), plain(six)) == (four, four, six)
    assert (mapped(four), mapped(six)) == (inside, six)
    assert as_seen_by(at("[::]:1"), four) == inside
    assert as_seen_by(at("0.0.0.0:1"), six) is None
    assert write_pair(at("0.0.0.0:1"), four, six) is None
    pair = write_pair(at("[::]:1"), four, six)
    assert pair is not None and unpacked(pair) == (shown(inside), shown(six))
