"""A right is a plain value."""

from __future__ import annotations

from mirrord_cli.cluster.rights import Right


def test_equal_rights_are_equal() -> None:
    assert Right("", "pods", ("get",), "a") == Right("", "pods", ("get",), "a")
    assert len({Right("", "pods", ("get",), "a"), Right("", "pods", ("list",), "a")}) == 2
