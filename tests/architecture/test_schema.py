"""The schema is the one source: each message has its value, its handler and its place in the docs."""

from __future__ import annotations

import re
from pathlib import Path

from tests.architecture import tree

SCHEMA = tree.ROOT / "packages" / "protocol" / "schema" / "mirrord.capnp"


def members(kind: str, name: str) -> list[str]:
    """The names of an enum's or union's members."""
    body = re.search(rf"^{kind} {name} \{{(.*?)^\}}", SCHEMA.read_text(), re.MULTILINE | re.DOTALL)
    assert body
    return re.findall(r"(\w+) @\d+", re.sub(r"#.*", "", body.group(1)))


def said(*paths: Path) -> str:
    return "".join(path.read_text() for path in paths)


def test_each_ordinal_is_used_once_and_none_is_left_out() -> None:
    for body in re.findall(r"(?:enum|struct) \w+ \{(.*?)^\}", SCHEMA.read_text(), re.MULTILINE | re.DOTALL):
        flat = re.sub(r"#.*", "", re.sub(r"enum \w+ \{.*?\}", "", body, flags=re.DOTALL))
        ordinals = [int(number) for number in re.findall(r"@(\d+)", flat)]

        assert sorted(ordinals) == list(range(len(ordinals)))


def test_each_layer_operation_is_handled_by_the_session_and_asked_by_the_layer() -> None:
    session = said(*(tree.source("cli") / "session").rglob("*.py"))
    layer = said(*(tree.ROOT / "packages" / "layer-unix" / "csrc").rglob("*.c"))
    for operation in members("enum", "LayerOperation"):
        constant = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).upper()

        assert re.search(rf"LayerOperation\.{constant}\b", session), operation
        assert re.search(rf"\bWIRE_LAYER_OPERATION_{constant}\b", layer), operation


def test_each_request_is_handled_by_the_agent() -> None:
    agent = said(*tree.source("agent").rglob("*.py"))
    for value in ("Open", "Read", "StatPath", "ListDirectory", "ReadLink", "RealPath", "FileSystemOf"):
        assert re.search(rf"\b{value}\b", agent), value


def test_each_message_has_its_value() -> None:
    messages = said(*(tree.source("protocol") / name for name in ("messages.py", "network_messages.py")))
    for message in members("struct", "Message"):
        assert re.search(rf"\b{message}\b", messages), message
