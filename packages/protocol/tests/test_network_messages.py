"""Addresses in messages: what is none is refused, whoever says it. Messages there and back are in test_messages.py."""

from __future__ import annotations

from typing import Any

import pytest

from mirrord_protocol.failure import RemoteProtocolError
from mirrord_protocol.messages import decode_message, encode_message
from mirrord_protocol.network_messages import LAYER_ADDRESS_SIZE, decode_layer_address, encode_layer_address
from mirrord_protocol.network_values import NOWHERE, Address, Connected, Families, Resolve, UnixAddress
from mirrord_protocol.schema import load
from protocol_samples import ADDRESS, ADDRESS6, UNIX


def connected(**local: object) -> bytes:
    message: Any = load().Message.new_message()
    address = message.init("connected").init("local")
    for name, value in local.items():
        setattr(address, name, value)
    data: bytes = message.to_bytes()
    return data


@pytest.mark.parametrize("host", [b"123", b"12345", bytes(15), bytes(17)])
def test_hosts_of_a_wrong_size(host: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        decode_message(connected(host=host, port=1))


def test_unix_addresses() -> None:
    assert decode_message(connected(host=b"\0name", unix=True)) == Connected(UnixAddress(b"\0name"), NOWHERE, 0)
    with pytest.raises(RemoteProtocolError):
        decode_message(connected(host=bytes(109), unix=True))


def test_unix_addresses_where_none_may_be() -> None:
    message: Any = load().Message.new_message()
    message.init("reverse").unix = True
    with pytest.raises(RemoteProtocolError):
        decode_message(message.to_bytes())


def test_families_that_nobody_knows_are_left_out() -> None:
    message: Any = load().Message.new_message()
    message.init("resolve").families = 0xFF

    assert decode_message(message.to_bytes()) == Resolve(b"", Families.IPV4 | Families.IPV6)


def test_an_unknown_mode_is_refused() -> None:
    message: Any = load().Message.new_message()
    message.init("subscribe").mode = "mirror"
    data = bytearray(message.to_bytes())
    data[data.index(b"\1\0", 32)] = 9
    with pytest.raises(RemoteProtocolError):
        decode_message(bytes(data))


@pytest.mark.parametrize("address", [ADDRESS, ADDRESS6, NOWHERE, Address(bytes(4), 0)])
def test_addresses_before_datagrams(address: Address) -> None:
    data = encode_layer_address(address)

    assert len(data) == LAYER_ADDRESS_SIZE
    assert decode_layer_address(b"123" + data, 3) == address


def test_an_address_is_the_same_after_a_message() -> None:
    assert decode_message(encode_message(Connected(UNIX, ADDRESS6, 3))) == Connected(UNIX, ADDRESS6, 3)
