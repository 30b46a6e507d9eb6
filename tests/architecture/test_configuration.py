"""docs/configuration.md says what the definition of the keys says."""

from __future__ import annotations

from mirrord_cli.config.keys import all_keys
from tools import keys


def test_the_tables_are_the_definition() -> None:
    text = keys.PAGE.read_text()

    assert keys.page(text) == text, "run ./hatchw run keys"
    assert all(f"| `{key.path}` |" in text for key in all_keys())


def test_every_part_is_marked() -> None:
    assert {match[2] for match in keys.MARKED.finditer(keys.PAGE.read_text())} == {
        "keys",
        "tools",
        "excludes",
        "already",
        "exits",
    }
