"""Addresses between the system's form and the wire's: what comes back is what went in, in the form that a socket has."""

from __future__ import annotations

import ipaddress
import socket
import struct
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from layer_guard import Guarded
from mirrord_layer_unix._pure import ffi, lib
from mirrord_protocol.network_messages import decode_layer_address, encode_layer_address
from mirrord_protocol.network_values import NOWHERE, Address

FOUR, SIX = int(socket.AF_INET), int(socket.AF_INET6)
MAPPED = bytes(10) + b"\xff\xff"

addresses = st.builds(
    Address,
    st.one_of(
        st.binary(min_size=4, max_size=4),
        st.binary(min_size=16, max_size=16),
        st.binary(min_size=4, max_size=4).map(lambda host: MAPPED + host),
    ),
    st.integers(0, 65535),
)


def in_c(address: Address) -> Any:
    """An address as C has it."""
    made = ffi.new("struct wire_address *")
    ffi.memmove(made, encode_layer_address(address), 24)
    return made


def read(name: bytes) -> tuple[bool, Address]:
    """What C reads from a sockaddr; behind its end is no memory."""
    made = ffi.new("struct wire_address *")
    guard = Guarded(64)
    known = lib.address_read(made, ffi.cast("struct sockaddr *", guard.put(name)), len(name))
    return bool(known), decode_layer_address(bytes(ffi.buffer(made)))


def write(address: Address, domain: int) -> bytes:
    room = ffi.new("char[128]")
    return bytes(
        ffi.buffer(room, lib.address_write(ffi.cast("struct sockaddr_storage *", room), in_c(address), domain))
    )


def name_of(address: Address) -> bytes:
    """An address as the system has it, by this test's own hand."""
    port = struct.pack("!H", address.port)
    if len(address.host) == 4:
        return struct.pack("H", FOUR) + port + address.host + bytes(8)
    return struct.pack("H", SIX) + port + bytes(4) + address.host + struct.pack("I", address.scope)


@given(addresses)
def test_reading(address: Address) -> None:
    assert read(name_of(address)) == (True, address)


@pytest.mark.parametrize(
    "name",
    [b"", b"\1", b"\2", name_of(Address(bytes(4), 1))[:15], name_of(Address(bytes(16), 1))[:23], b"\1\0" + bytes(14)],
)
def test_no_address(name: bytes) -> None:
    assert read(name) == (False, NOWHERE)


def test_scopes() -> None:
    link = Address(b"\xfe\x80" + bytes(13) + b"\1", 80, 3)

    assert read(name_of(link)) == (True, link)
    assert read(name_of(link)[:24]) == (True, Address(link.host, 80))
    assert write(link, SIX) == name_of(link)


@given(addresses)
@example(Address(MAPPED + b"\1\2\3\4", 80))
def test_writing(address: Address) -> None:
    plain = Address(address.host[-4:], address.port)
    four = len(address.host) == 4 or address.host.startswith(MAPPED)

    assert write(address, FOUR) == (name_of(plain) if four else b"")
    assert write(address, SIX) == name_of(Address(MAPPED + plain.host, plain.port) if four else address)
    assert write(address, int(socket.AF_UNIX)) == b""


def test_none_is_not_written() -> None:
    assert write(NOWHERE, FOUR) == write(NOWHERE, SIX) == b""


@given(addresses)
@example(Address(bytes(4), 1))
@example(Address(bytes(16), 1))
@example(Address(bytes(15) + b"\1", 1))
@example(Address(b"\x7f\1\2\3", 1))
@example(Address(MAPPED + b"\x7f\0\0\1", 1))
@example(Address(MAPPED + b"\xe0\0\0\1", 1))
@example(Address(b"\xff\xff\xff\xff", 1))
@example(Address(b"\xff\2" + bytes(14), 1))
def test_kinds(address: Address) -> None:
    value = ipaddress.ip_address(address.host)
    plain = getattr(value, "ipv4_mapped", None) or value

    assert lib.address_is_any(in_c(address)) == plain.is_unspecified
    assert lib.address_is_loopback(in_c(address)) == (plain.is_loopback or plain.is_unspecified)
    assert lib.address_is_many(in_c(address)) == (
        plain.is_multicast or plain == ipaddress.ip_address("255.255.255.255")
    )
    assert lib.address_is_ipv4(in_c(address)) == (plain.version == 4)
