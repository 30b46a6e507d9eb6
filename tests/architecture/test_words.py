"""The project speaks of itself alone, in its own words, and leaves nothing for later."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.architecture import tree

LEFTOVERS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")  # the words themselves are here, so this file is excused
MACHINES = re.compile(
    r"(?<![\w./])/(work|root)/|https?://(?!(www\.)?(man7|kernel|example|json-schema|kubernetes)\.|\d|[\w.-]+\.(test|invalid)\b)[\w-]+\."
)
"""Folders of one machine; addresses of the net but for a few, and names that are reserved for tests."""
EXCUSED = {"tests/architecture/test_words.py", "tests/e2e/programs/package-lock.json"}


def texts() -> list[Path]:
    return [path for path in tree.files() if tree.name(path) not in EXCUSED and path.suffix not in {".bin", ".svg"}]


@pytest.mark.parametrize("pattern", [LEFTOVERS, MACHINES], ids=["leftovers", "machines"])
def test_no_file_says(pattern: re.Pattern[str]) -> None:
    found = [
        f"{tree.name(path)}:{number}: {line.strip()}"
        for path in texts()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]

    assert found == []


def glossary() -> dict[str, str]:
    """Every word that the glossary forbids, with the one to use instead."""
    banned: dict[str, str] = {}
    for line in (tree.ROOT / "docs" / "glossary.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == 3 and not cells[0].startswith(("word", "-")):
            banned |= {word.strip(): cells[0] for word in cells[2].split(",") if word.strip()}
    return banned


@pytest.mark.parametrize("package", tree.PACKAGES)
def test_public_names_use_the_glossarys_words(package: str) -> None:
    banned = glossary()
    assert banned
    found = []
    for path in sorted(tree.source(package).rglob("*.py")):
        names = [path.stem] + [
            node.name
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_")
        ]
        for name in names:
            words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().split("_")
            found += [f"{tree.name(path)}: {name}: say {banned[word]}" for word in words if word in banned]

    assert found == []
