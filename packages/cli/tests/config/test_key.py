"""How the notes beside a field are read."""

from __future__ import annotations

from typing import Annotated

from msgspec import Struct

from mirrord_cli.config.key import keys_below, keys_of, note


class Inner(Struct, kw_only=True, frozen=True):
    ports: Annotated[list[int] | None, note("Ports.", variable="X")] = None


class Outer(Struct, kw_only=True, frozen=True):
    inner: Annotated[Inner | None, note("Inner.", shorthand=("switch",))] = None
    names: Annotated[list[str], note("Names.", option=("--names",), says="a", whole=True)] = []


def test_keys_are_what_is_noted() -> None:
    inner, names = keys_of(Outer)

    assert (inner.path, inner.kind, inner.section, inner.default) == ("inner", Inner, Inner, None)
    assert inner.shorthand == ("switch",)
    assert (names.path, names.section, names.default, names.option) == ("names", None, [], ("--names",))
    assert names.says == "a" and names.whole and not inner.whole


def test_keys_below_have_their_whole_path_and_no_none() -> None:
    assert [key.path for key in keys_below(Outer)] == ["inner", "inner.ports", "names"]
    (ports,) = keys_of(Inner, "a.b")
    assert (ports.path, ports.kind, ports.variable) == ("a.b.ports", list[int], "X")
