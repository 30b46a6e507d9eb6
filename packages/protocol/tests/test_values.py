"""The values mirror the schema: same members, same numbers, and nothing secret in their texts."""

from __future__ import annotations

import dataclasses
import enum

import pytest

from mirrord_protocol import values
from mirrord_protocol.schema import enumerants, load, snake
from protocol_samples import MESSAGES, TOKEN

SCHEMA = load()


@pytest.mark.parametrize(
    ("python", "schema"),
    [
        (values.FailureKind, SCHEMA.FailureKind),
        (values.Form, SCHEMA.Opened.Form),
    ],
)
def test_enums_have_the_schemas_numbers(python: type[enum.IntEnum], schema: object) -> None:
    expected = {snake(name).upper(): number for number, name in enumerate(enumerants(schema.schema.node))}  # type: ignore[attr-defined]

    assert {member.name: member.value for member in python} == expected


@pytest.mark.parametrize(
    ("python", "schema"),
    [
        (values.OpenFlag, SCHEMA.OpenFlag),
        (values.Capability, SCHEMA.Capability),
    ],
)
def test_flags_have_the_schemas_bits(python: type[enum.IntFlag], schema: object) -> None:
    expected = {snake(name).upper(): 1 << bit for bit, name in enumerate(enumerants(schema.schema.node))}  # type: ignore[attr-defined]

    assert {member.name: member.value for member in python} == expected


@pytest.mark.parametrize("name", ["Hello", "Welcome", "Target", "Open", "Opened", "Read", "ListDirectory", "Listed"])
def test_structs_have_the_schemas_fields(name: str) -> None:
    expected = {snake(field.name) for field in getattr(SCHEMA, name).schema.node.struct.fields}

    assert {field.name for field in dataclasses.fields(getattr(values, name))} == expected


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
def test_values_can_be_compared_and_never_change(message: values.Message) -> None:
    if isinstance(message, bytes):
        return
    assert hash(message) == hash(dataclasses.replace(message))
    for field in dataclasses.fields(message)[:1]:
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(message, field.name, None)


def test_secrets_are_not_in_texts() -> None:
    welcome = MESSAGES["welcome"]

    assert repr(TOKEN) not in repr(values.Hello(TOKEN))
    assert "ODD" not in repr(welcome)
