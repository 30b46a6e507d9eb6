"""Values of one key; test_tree.py has each mistake as a file makes it."""

from __future__ import annotations

from typing import Any

import pytest

from mirrord_cli.config.key import Key
from mirrord_cli.config.keys import all_keys
from mirrord_cli.config.values import faults, from_text, kind_of, one_of, understood, wanted

KEYS = {key.path: key for key in all_keys()}


def key(path: str) -> Key:
    return KEYS[path]


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("agent.ttl", "12", 12),
        ("agent.ttl", "-1", -1),
        ("agent.ttl", "1.5", "1.5"),
        ("agent.ttl", "9" * 30, "9" * 30),
        ("feature.fs.cache_ttl", "1.5", 1.5),
        ("agent.ephemeral", "TRUE", True),
        ("agent.ephemeral", "yes", "yes"),
        ("skip_processes", "a;;b", ["a", "b"]),
        ("feature.network.incoming.mode", "1", "steal"),
        ("agent.image", "x", "x"),
    ],
)
def test_texts(path: str, text: str, value: Any) -> None:
    assert from_text(key(path), text) == value


def test_other_words_for_the_same() -> None:
    assert understood(key("agent.log_level"), "trace") == "debug"
    assert understood(key("agent.log_level"), 1) == 1
    assert understood(key("agent.disabled_capabilities"), ["CAP_SYS_ADMIN", "x", 1]) == ["SYS_ADMIN", "x", 1]
    assert understood(key("feature.fs.local"), ["CAP_SYS_ADMIN"]) == ["CAP_SYS_ADMIN"]


def test_faults_are_none_or_told_with_the_path() -> None:
    assert list(faults(key("agent.ttl"), 1)) == []
    (problem,) = faults(key("agent.ttl"), True)
    assert (problem.path, problem.text) == ("agent.ttl", "agent.ttl must be a whole number, not true.")


def test_words() -> None:
    assert wanted(key("agent.tolerations")) == "a list of objects"
    assert wanted(key("agent.image_pull_policy")) == "'IfNotPresent', 'Always' or 'Never'"
    assert one_of(["a"]) == "a"
    assert [kind_of(value) for value in (None, False, 1, "x", [], {}, object())] == [
        "null", "false", "the number 1", "'x'", "a list", "an object", "a date or time",
    ]  # fmt: skip
