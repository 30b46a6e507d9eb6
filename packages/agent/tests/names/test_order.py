"""The order of addresses: RFC 6724's rules one by one, and what the kernel says of interfaces."""

from __future__ import annotations

import ipaddress
import socket
import struct

import pytest

from mirrord_agent.names.order.driver import interfaces, sources
from mirrord_agent.names.order.machine import (
    DEFAULT_TABLES,
    Interface,
    configured,
    parse_interfaces,
    parse_tables,
    sort,
)
from mirrord_agent.sockets.driver import Sockets
from mirrord_protocol.network_values import Families

BOTH = Families.IPV4 | Families.IPV6


def host(text: str) -> bytes:
    return ipaddress.ip_address(text).packed


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        # rule 1: what can't be reached goes last
        ([("2001:db8::1", ""), ("10.0.0.1", "10.0.0.2")], ["10.0.0.1", "2001:db8::1"]),
        # rule 2: matching scope
        ([("2001:db8::1", "fe80::2"), ("10.0.0.1", "10.0.0.2")], ["10.0.0.1", "2001:db8::1"]),
        # rule 5: matching label
        (
            [("2002:c633:6401::1", "2001:db8::2"), ("2001:db8:1::1", "2001:db8::2")],
            ["2001:db8:1::1", "2002:c633:6401::1"],
        ),
        # rule 6: higher precedence
        ([("10.0.0.1", "10.0.0.2"), ("2001:db8::1", "2001:db8::2")], ["2001:db8::1", "10.0.0.1"]),
        ([("10.0.0.1", "10.0.0.2"), ("fd00::1", "fd00::2")], ["fd00::1", "10.0.0.1"]),
        # rule 8: smaller scope
        ([("2001:db8::1", "2001:db8::2"), ("fe80::1", "fe80::2")], ["fe80::1", "2001:db8::1"]),
        ([("ff0e::1", "2001:db8::2"), ("ff05::1", "fec0::2")], ["ff0e::1", "ff05::1"]),
        # rule 9: longest matching prefix; for IPv4 within a subnet alone
        ([("2001:db8:9::1", "2001:db8:1::2"), ("2001:db8:1::1", "2001:db8:1::2")], ["2001:db8:1::1", "2001:db8:9::1"]),
        ([("10.9.0.1", "10.0.0.2"), ("10.0.0.9", "10.0.0.2")], ["10.0.0.9", "10.9.0.1"]),
        # rule 10: as they were
        ([("10.9.0.1", "10.0.0.2"), ("10.8.0.1", "10.0.0.2")], ["10.9.0.1", "10.8.0.1"]),
        ([("10.9.0.1", ""), ("10.8.0.1", "")], ["10.9.0.1", "10.8.0.1"]),
        ([("127.0.0.1", "127.0.0.1"), ("::1", "::1")], ["::1", "127.0.0.1"]),
    ],
)
def test_rules(pairs: list[tuple[str, str]], expected: list[str]) -> None:
    own = [Interface(host("10.0.0.2"), 24), Interface(host("2001:db8:1::2"), 64)]
    known = {host(to): host(source) for to, source in pairs if source}
    assert sort([host(to) for to, _ in pairs], known, own) == [host(text) for text in expected]


def test_rule_3_sources_that_are_not_deprecated() -> None:
    own = [Interface(host("2001:db8::2"), 64, deprecated=True), Interface(host("2001:db9::2"), 64)]
    known = {host("2001:db8::1"): host("2001:db8::2"), host("2001:db9::1"): host("2001:db9::2")}
    assert sort(list(known), known, own) == [host("2001:db9::1"), host("2001:db8::1")]


def test_what_gai_conf_changes() -> None:
    text = b"# IPv4 first\nprecedence ::ffff:0:0/96  100\nlabel ::1/128 0 # more\nlabel fd00:1::/32 9\nlabel 2001:db8:: 5\n"
    tables = parse_tables(text)
    assert tables.precedences == ((host("::ffff:0:0"), 96, 100),)
    assert tables.labels == ((host("::1"), 128, 0), (host("fd00:1::"), 32, 9), (host("2001:db8::"), 128, 5))
    pair = [host("2001:db8::1"), host("10.0.0.1")]
    known = {pair[0]: host("2001:db8::2"), pair[1]: host("10.0.0.2")}
    assert sort(pair, known, []) == pair
    assert sort(pair, known, [], parse_tables(b"precedence ::ffff:0:0/96 100\n")) == pair[::-1]
    for nonsense in (
        b"",
        b"reload yes\n",
        b"label x 1\n",
        b"label ::1/129 1\n",
        b"label ::1/x 1\nprecedence ::1\n",
        b"label ::1 -1\n",
    ):
        assert parse_tables(nonsense) == DEFAULT_TABLES


def test_families_with_addresses() -> None:
    loopbacks = [Interface(host("127.0.0.1"), 8), Interface(host("::1"), 128)]
    four, six = Interface(host("10.0.0.2"), 24), Interface(host("fe80::2"), 64)
    assert configured([*loopbacks, four], BOTH) == Families.IPV4
    assert configured([*loopbacks, six], BOTH) == Families.IPV6
    assert configured([four, six], BOTH) == BOTH
    assert configured(loopbacks, BOTH) == BOTH
    assert configured(loopbacks, Families.IPV4) == Families(0)
    assert configured([four], Families.IPV6) == Families(0)


def test_interfaces_of_this_machine() -> None:
    found = interfaces()
    assert Interface(bytes([127, 0, 0, 1]), 8) in found
    assert {len(each.host) for each in found} <= {4, 16}


def test_messages_of_the_kernel() -> None:
    def message(kind: int, body: bytes) -> bytes:
        return struct.pack("=IHHII", 16 + len(body), kind, 0, 1, 0) + body

    def attribute(kind: int, value: bytes) -> bytes:
        return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)

    header = struct.pack("=BBBBI", socket.AF_INET, 24, 0, 0, 2)
    peer_and_local = attribute(1, host("10.0.0.9")) + attribute(3, b"eth0\0") + attribute(2, host("10.0.0.2"))
    flagged = attribute(1, host("10.0.0.3")) + attribute(8, (0x20).to_bytes(4, "little"))
    data = message(20, header + peer_and_local) + message(20, header + flagged) + message(24, header)
    expected = [Interface(host("10.0.0.2"), 24), Interface(host("10.0.0.3"), 24, deprecated=True)]
    assert parse_interfaces(data) == (expected, False)
    assert parse_interfaces(data + message(3, bytes(4))) == (expected, True)
    assert parse_interfaces(message(20, header)) == ([], False)
    assert parse_interfaces(message(2, bytes(20))) == ([], True)


def test_sources_of_this_machine() -> None:
    found = sources([(host("127.0.0.9"), 0), (host("fe80::1"), 0)], Sockets(marked=False))
    assert found == {host("127.0.0.9"): host("127.0.0.1")}
