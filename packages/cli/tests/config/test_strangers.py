"""Keys that the definition doesn't have."""

from __future__ import annotations

from typing import Any

import pytest

from mirrord_cli.config import known
from mirrord_cli.config.strangers import suggest
from mirrord_cli.config.tree import read_tree


def problems(tree: Any) -> list[str]:
    return [problem.text for problem in read_tree(tree).problems]


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        ("feature.fs.Mode", "feature.fs.mode"),
        ("skip_process", "skip_processes"),
        ("feature.env.mode", "agent.mode"),
        ("unset", "feature.env.unset"),
        ("target.path.deploymnt", "target.path.deployment"),
        ("agent.tolerations[3].tolerationseconds", "agent.tolerations.tolerationSeconds"),
        ("zzz", None),
    ],
)
def test_suggestions(path: str, nearest: str | None) -> None:
    assert suggest(path) == nearest


def test_every_known_key_is_refused_by_name() -> None:
    for path in known.KEYS:
        tree: Any = "something"
        for part in reversed(path.split(".")):
            tree = {part: tree}
        found = problems(tree)
        # A section that isn't built at all may be refused as a whole.
        assert any("not supported yet" in text and text.split()[0] in f"{path}." for text in found), (path, found)


def test_values_that_are_so_already_are_taken() -> None:
    for path, so in known.ALREADY_SO.items():
        for value in so:
            tree: Any = value
            for part in reversed(path.split(".")):
                tree = {part: tree}
            assert problems(tree) == [], path
    assert problems({"telemetry": 0}) == ["telemetry is not supported yet."]
