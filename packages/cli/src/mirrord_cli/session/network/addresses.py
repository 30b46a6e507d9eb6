"""Addresses as layers write and read them: payloads, families, IPv4 inside IPv6. No I/O."""

from __future__ import annotations

from typing import Final

from mirrord_cli.session.network.actions import Family
from mirrord_protocol.failure import RemoteProtocolError
from mirrord_protocol.layer_values import LayerSocket
from mirrord_protocol.network_messages import LAYER_ADDRESS_SIZE, decode_layer_address, encode_layer_address
from mirrord_protocol.network_values import NOWHERE, Address, UnixAddress

MAPPED: Final = bytes(10) + b"\xff\xff"
LOOPBACK: Final = {4: b"\x7f\0\0\1", 16: bytes(15) + b"\1"}
"""By the size of an address."""
MOST_UNIX: Final = 108


def read_addresses(payload: bytes, count: int) -> tuple[Address, ...] | None:
    """Return the addresses that a payload consists of; None if it is anything else."""
    if len(payload) != count * LAYER_ADDRESS_SIZE:
        return None
    try:
        return tuple(decode_layer_address(payload, at * LAYER_ADDRESS_SIZE) for at in range(count))
    except RemoteProtocolError:
        return None


def read_unix(payload: bytes) -> UnixAddress | None:
    """Return the address of a Unix socket; None if it is none."""
    plain = payload if payload.startswith(b"\0") else payload.rstrip(b"\0")
    return UnixAddress(plain) if len(plain) + (plain[:1] != b"\0") > 1 and len(plain) <= MOST_UNIX else None


def family_of(flags: int) -> Family:
    """Return how a socket reaches this machine."""
    if flags & LayerSocket.UNIX:
        return Family.UNIX
    if not flags & LayerSocket.IPV6:
        return Family.IPV4
    return Family.IPV6 if flags & LayerSocket.IPV6_ONLY else Family.MAPPED


def plain(address: Address) -> Address:
    """Return an address without the way in which IPv6 sockets write IPv4's."""
    if len(address.host) == 16 and address.host.startswith(MAPPED):
        return Address(address.host[12:], address.port)
    return address


def mapped(address: Address) -> Address:
    """Return an address as a socket of IPv6 writes it."""
    return Address(MAPPED + address.host, address.port) if len(address.host) == 4 else address


def as_seen_by(own: Address, address: Address) -> Address | None:
    """Return an address as a socket writes it whose own one is `own`; None if it can't."""
    if len(own.host) == 16:
        return mapped(address)
    return address if len(address.host) == 4 else None


def write_pair(own: Address, local: Address, peer: Address) -> bytes | None:
    """Return a `describe`'s answer for a socket whose own address is `own`; None if it can't be said to it."""
    seen = as_seen_by(own, local), as_seen_by(own, peer)
    if seen[0] is None or seen[1] is None:
        return None
    return encode_layer_address(seen[0]) + encode_layer_address(seen[1])


def write_loopback(family: Family, port: int) -> bytes:
    """Return where a program connects to on this machine."""
    host = LOOPBACK[16 if family is Family.IPV6 else 4]
    address = Address(host, port)
    return encode_layer_address(mapped(address) if family is Family.MAPPED else address)


def is_nowhere(address: Address) -> bool:
    """Whether an address is none."""
    return address == NOWHERE or not address.host
