"""Every file has a size that fits a person, header words, and a test file of its name."""

from __future__ import annotations

import ast
import re

import pytest

from tests.architecture import tree

LIMIT = 400
UNTESTED = {"__init__.py", "py.typed"}


def test_size() -> None:
    long = [tree.name(path) for path in tree.code() if path.read_text().count("\n") > LIMIT]

    assert long == [], "split them where the seams are"


def test_header_words() -> None:
    """A file begins with what lives here, what doesn't, and its counterpart."""
    silent = []
    for path in tree.code():
        text = path.read_text()
        if path.suffix == ".py":
            silent += [tree.name(path)] if text.strip() and not ast.get_docstring(ast.parse(text)) else []
        elif not text.startswith(("/*", "# ", "#!")):
            silent.append(tree.name(path))

    assert silent == []


@pytest.mark.parametrize("package", tree.PACKAGES)
def test_each_source_file_has_its_test_file(package: str) -> None:
    """src/mirrord_X/a/b.py has tests/a/test_b.py, or tests/test_a_b.py, or tests/test_a.py for a whole small folder."""
    tests = {path.relative_to(tree.ROOT / "packages" / package / "tests").as_posix()
             for path in (tree.ROOT / "packages" / package / "tests").rglob("test_*.py")}  # fmt: skip
    flat = {re.sub(r"/(?:test_)?|^test_|\.py$", "_", test).strip("_") for test in tests}
    missing = []
    for path in sorted(tree.source(package).rglob("*.py")):
        if path.name in UNTESTED:
            continue
        words = [part.strip("_") for part in path.relative_to(tree.source(package)).with_suffix("").parts]
        if not any("_".join(words[:n]) in flat for n in range(1, len(words) + 1)):
            missing.append(tree.name(path))

    assert missing == []


@pytest.mark.parametrize("package", tree.PACKAGES)
def test_licence_is_the_same_everywhere(package: str) -> None:
    assert (tree.ROOT / "packages" / package / "LICENSE").read_text() == (tree.ROOT / "LICENSE").read_text()
