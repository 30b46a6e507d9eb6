"""Entries of filters, as people write them."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrord_cli.config.filters import BadFilter, parse_filter
from mirrord_cli.session.settings import FilterEntry


def entry(network: str = "", **rest: Any) -> FilterEntry:
    host, _, bits = network.partition("/")
    packed = ip_address(host).packed if host else None
    return FilterEntry(network=(packed, int(bits or len(packed) * 8)) if packed else None, **rest)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("db", entry(name="db")),
        ("DB.Shop.", entry(name="db.shop")),
        ("_srv.x-y_z.example", entry(name="_srv.x-y_z.example")),
        ("db:5432", entry(name="db", port=5432)),
        ("tcp://localhost:1337", entry(name="localhost", port=1337, protocol="tcp")),
        ("UDP://10.0.0.0/8:53", entry("10.0.0.0/8", port=53, protocol="udp")),
        ("any://db", entry(name="db")),
        ("10.0.0.1", entry("10.0.0.1")),
        ("10.0.0.1/8", entry("10.0.0.0/8")),
        ("10.0.0.1:0", entry("10.0.0.1")),
        (":443", entry(port=443)),
        ("tcp://:443", entry(port=443, protocol="tcp")),
        ("tcp://", entry(protocol="tcp")),
        ("0.0.0.0:443", entry(port=443)),
        ("::", entry()),
        ("[::]:80", entry(port=80)),
        ("0.0.0.0/0", entry("0.0.0.0/0")),
        ("fd00::1", entry("fd00::1")),
        ("fd00::/8", entry("fd00::/8")),
        ("[fd00::1]", entry("fd00::1")),
        ("[fd00::1]:80", entry("fd00::1", port=80)),
        ("tcp://[fd00::/8]:80", entry("fd00::/8", port=80, protocol="tcp")),
        ("[fd00::]/8:80", entry("fd00::/8", port=80)),
        (" db ", entry(name="db")),
    ],
)
def test_what_entries_mean(text: str, meant: FilterEntry) -> None:
    assert parse_filter(text) == meant


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("ftp://db", "'ftp' is neither"),
        ("://db", "'' is neither"),
        ("db:http", "'http' is no port"),
        ("db:65536", "no port"),
        ("db:", "no port"),
        ("db:-1", "no port"),
        ("10.0.0.256", "no address and no subnet"),
        ("10.0.0.0/33", "no address and no subnet"),
        ("db/8", "no address and no subnet"),
        ("fd00::zz", "in brackets"),
        ("[10.0.0.1]:80", "in the brackets"),
        ("[fd00::1", "in brackets"),
        ("[fd00::/8]/8", "in the brackets"),
        ("*.example", "wildcard"),
        ("a..b", "no host's name"),
        ("-a", "no host's name"),
        ("a b", "no host's name"),
        ("bücher.example", "xn--"),
        ("a" * 254, "no host's name"),
    ],
)
def test_what_means_nothing(text: str, why: str) -> None:
    with pytest.raises(BadFilter, match=why):
        parse_filter(text)


def test_names_have_no_protocol() -> None:
    assert parse_filter("db:80", protocols=False) == entry(name="db", port=80)
    with pytest.raises(BadFilter, match="protocol"):
        parse_filter("tcp://db", protocols=False)


@given(st.text() | st.from_regex(r"(?:tcp://)?[\[\]0-9a-f:./]*"))
def test_any_text_means_something_or_not(text: str) -> None:
    try:
        found = parse_filter(text)
    except BadFilter:
        return
    assert 0 <= found.port <= 0xFFFF
    assert not (found.name and found.network)
