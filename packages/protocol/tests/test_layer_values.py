"""The values of the layer's hop mirror the schema."""

from __future__ import annotations

import dataclasses
import enum

import pytest

from mirrord_protocol import layer_values
from mirrord_protocol.schema import enumerants, load, snake

SCHEMA = load()


@pytest.mark.parametrize("name", ["LayerOperation", "LayerNotice", "LayerOutcome", "LayerForm"])
def test_enums_have_the_schemas_numbers(name: str) -> None:
    python: type[enum.IntEnum] = getattr(layer_values, name)
    expected = {snake(each).upper(): n for n, each in enumerate(enumerants(getattr(SCHEMA, name).schema.node))}

    assert {member.name: member.value for member in python} == expected


@pytest.mark.parametrize("name", ["LayerResolve", "LayerSocket"])
def test_flags_have_the_schemas_bits(name: str) -> None:
    python: type[enum.IntFlag] = getattr(layer_values, name)
    expected = {snake(each).upper(): 1 << n for n, each in enumerate(enumerants(getattr(SCHEMA, name).schema.node))}

    assert {member.name: member.value for member in python} == expected


@pytest.mark.parametrize("name", ["LayerRequest", "LayerReply"])
def test_structs_have_the_schemas_fields(name: str) -> None:
    expected = {snake(field.name) for field in getattr(SCHEMA, name).schema.node.struct.fields}

    assert {field.name for field in dataclasses.fields(getattr(layer_values, name))} == expected
