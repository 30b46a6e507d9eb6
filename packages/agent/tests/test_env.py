"""Variables: parsing what the kernel shows, wildcards, what is never sent."""

from __future__ import annotations

import pytest

from mirrord_agent.env.machine import matches, parse, select

VARIABLES = [(b"PATH", b"/bin"), (b"SHOP_NAME", b"x"), (b"LD_PRELOAD", b"y"), (b"SHOP", b"")]


def test_parse() -> None:
    assert parse(b"") == []
    assert parse(b"A=1\0B=\0C=x=y\0") == [(b"A", b"1"), (b"B", b""), (b"C", b"x=y")]
    assert parse(b"A=1") == [(b"A", b"1")]


def test_what_is_no_variable_is_left_out() -> None:
    assert parse(b"no equals sign\0=nameless\0\0A=\xff\n\0") == [(b"A", b"\xff\n")]


def test_the_first_of_a_name_counts() -> None:
    assert parse(b"A=1\0A=2\0") == [(b"A", b"1")]


@pytest.mark.parametrize(
    ("include", "exclude", "names"),
    [
        ([], [], [b"PATH", b"SHOP_NAME", b"SHOP"]),
        ([b"SHOP*"], [], [b"SHOP_NAME", b"SHOP"]),
        ([b"SHOP_*"], [], [b"SHOP_NAME"]),
        ([], [b"SHOP*"], [b"PATH"]),
        ([b"SHOP*"], [b"*NAME"], [b"SHOP"]),
        ([b"LD_PRELOAD", b"*"], [], [b"PATH", b"SHOP_NAME", b"SHOP"]),
        ([], [b"*"], []),
        ([b"shop"], [], []),
    ],
)
def test_select(include: list[bytes], exclude: list[bytes], names: list[bytes]) -> None:
    assert [name for name, _ in select(VARIABLES, include, exclude)] == names


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        (b"", b"", True),
        (b"", b"A", False),
        (b"*", b"", True),
        (b"A?C", b"ABC", True),
        (b"A?C", b"AC", False),
        (b"*B*", b"ABC", True),
        (b"A*", b"BA", False),
        (b"*A", b"AAB", False),
        (b"A**C", b"AC", True),
        (b"[A]", b"A", False),
        (b"*AB*AB", b"ABxAB", True),
        (b"?*", b"\xff\xfe", True),
    ],
)
def test_wildcards(pattern: bytes, name: bytes, *, fits: bool) -> None:
    assert matches(pattern, name) is fits


def test_a_malicious_wildcard_takes_no_time() -> None:
    assert not matches(b"*a" * 500 + b"b", b"a" * 5000)
