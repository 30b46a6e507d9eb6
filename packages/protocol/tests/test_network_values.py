"""The values of the network mirror the schema, and addresses are written as people do."""

from __future__ import annotations

import dataclasses

import pytest

from mirrord_protocol import network_values
from mirrord_protocol.schema import enumerants, load, snake

SCHEMA = load()


def test_enums_have_the_schemas_numbers() -> None:
    for python, schema in (
        (network_values.NameOutcome, SCHEMA.Resolved.Outcome),
        (network_values.SubscribeMode, SCHEMA.Subscribe.Mode),
    ):
        expected = {snake(name).upper(): number for number, name in enumerate(enumerants(schema.schema.node))}
        assert {member.name: member.value for member in python} == expected


@pytest.mark.parametrize(
    "name", ["Resolve", "Resolved", "Query", "Connect", "Datagrams", "Connected", "Subscribe", "Incoming"]
)
def test_structs_of_the_network_have_the_schemas_fields(name: str) -> None:
    expected = {snake(field.name) for field in getattr(SCHEMA, name).schema.node.struct.fields}

    assert {field.name for field in dataclasses.fields(getattr(network_values, name))} == expected


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (network_values.NOWHERE, "none"),
        (network_values.Address(bytes([127, 0, 0, 1]), 80), "127.0.0.1:80"),
        (network_values.Address(bytes(15) + b"\1", 80, 3), "[::1]:80"),
        (network_values.UnixAddress(b"/run/s\xff"), "/run/s\\xff"),
        (network_values.UnixAddress(b"\0abstract"), "@abstract"),
    ],
)
def test_addresses_are_written_as_people_do(
    address: network_values.Address | network_values.UnixAddress, text: str
) -> None:
    assert str(address) == text
