"""Dependencies point one way, and pure modules do no I/O: the invariants of docs/architecture.md."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture import tree
from tools import shape

OURS = set(tree.PACKAGES.values())
MAY_IMPORT = {
    "protocol": set[str](),
    "agent": {"mirrord_protocol"},
    "layer-unix": set[str](),
    "cli": {"mirrord_protocol", "mirrord_layer_unix"},
}
COMPILER = "mirrord_layer_unix/build"  # runs the compiler, and nothing of it runs in a session


def imported(path: Path) -> Iterator[str]:
    """The full names of the modules that a module imports."""
    module = path.relative_to(path.parents[len(path.parts) - path.parts.index("src") - 2]).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join([*module[: -node.level], node.module or ""] if node.level else [node.module or ""])
            yield from (f"{base}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("package", tree.PACKAGES)
def test_packages_know_only_those_they_may(package: str) -> None:
    allowed = MAY_IMPORT[package] | {tree.PACKAGES[package]}
    strangers = [
        f"{tree.name(path)}: {module}"
        for path in sorted(tree.source(package).rglob("*.py"))
        for module in imported(path)
        if module.partition(".")[0] in OURS - allowed
    ]

    assert strangers == []


def test_the_session_knows_nothing_of_the_rest_of_the_command_line() -> None:
    strangers = [
        f"{tree.name(path)}: {module}"
        for path in sorted((tree.source("cli") / "session").rglob("*.py"))
        for module in imported(path)
        if module.startswith("mirrord_cli.") and not module.startswith("mirrord_cli.session")
    ]

    assert strangers == []


@pytest.mark.parametrize("package", tree.PACKAGES)
def test_pure_modules_do_no_io(package: str) -> None:
    leaks = [
        f"{tree.name(path)}: {module}"
        for path in sorted(tree.source(package).rglob("*.py"))
        if not shape.IMPURE.search(path.relative_to(tree.source(package)).as_posix())
        and COMPILER not in path.as_posix()
        for module in shape.imported(ast.parse(path.read_text()))
        if module in shape.IO
    ]

    assert leaks == []
