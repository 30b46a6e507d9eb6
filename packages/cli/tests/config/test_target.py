"""The names of targets."""

from __future__ import annotations

import pytest

from mirrord_cli.config.target import BadTarget, parse_target, target_name


def test_a_process() -> None:
    assert parse_target("process/4711") == 4711
    assert parse_target(target_name(1)) == 1


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("process/x", "'x' is no process's number"),
        ("process/", "names no process"),
        ("process", "names no process"),
        ("process/-1", "'-1'"),
        ("process/0", "'0'"),
        ("process/1/container/x", "'1/container/x'"),
        ("process/١", "no process's number"),
        ("process/1\n", "no process's number"),
        ("4711", "did you mean process/4711"),
        ("pod/shop", "not supported yet"),
        ("targetless", "not supported yet"),
        ("nonsense", "no known kind"),
        ("", "name is empty"),
    ],
)
def test_what_is_none(name: str, said: str) -> None:
    with pytest.raises(BadTarget, match=said):
        parse_target(name)
