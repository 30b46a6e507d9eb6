"""Layouts are the schema's: a flat struct is the bytes that pycapnp makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from mirrord_protocol import schema

LAYOUTS = ["LayerRequest", "LayerReply", "Stat", "FileSystem"]


def test_the_schema_is_found() -> None:
    assert schema.schema_path().name == "mirrord.capnp"
    assert schema.schema_path() == Path(schema.schema_path())


@pytest.mark.parametrize(
    ("camel", "snake"), [("blockSize", "block_size"), ("e2big", "e2big"), ("noFollow", "no_follow")]
)
def test_snake(camel: str, snake: str) -> None:
    assert schema.snake(camel) == snake


@pytest.mark.parametrize("name", LAYOUTS)
def test_each_field_is_where_pycapnp_puts_it(name: str) -> None:
    wrapper = getattr(schema.load(), name)
    flat = schema.Flat(wrapper.schema.node)
    for number, field in enumerate(flat.names):
        kinds = {plain.name: plain for plain in schema.plain_fields(wrapper.schema.node)}
        builder = wrapper.new_message()
        place = builder
        *groups, own = kinds[field].name.split(".")
        for group in groups:
            place = getattr(place, group)
        setattr(place, kinds[field].schema_name, True if kinds[field].kind == "bool" else 1)
        values = [0] * len(flat.names)
        values[number] = 1

        data = builder.to_bytes()

        assert flat.pack(tuple(values)) == data, own
        assert flat.unpack(data) == tuple(values)


def test_a_struct_with_pointers_is_not_flat() -> None:
    with pytest.raises(ValueError, match="pointers"):
        schema.Flat(schema.load().Open.schema.node)


def test_other_bytes_are_refused() -> None:
    flat = schema.Flat(schema.load().Stat.schema.node)
    for data in (b"", bytes(flat.size), bytes(flat.size - 1)):
        with pytest.raises(ValueError, match="not a message"):
            flat.unpack(data)
