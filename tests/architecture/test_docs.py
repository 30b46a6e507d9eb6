"""What the pages say of the code is there: journeys, links, hooks, commands."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

from tests.architecture import tree
from tools import hooks

STEP = re.compile(r"`((?:packages|tests)/[\w./-]+\.(?:py|c|h|def)):([\w.]+)`")
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)")
PAGES = [path for path in tree.files() if path.suffix == ".md"]


def functions(path: Path) -> set[str]:
    """The functions and methods (`Class.method`) that a file defines."""
    text = path.read_text()
    if path.suffix != ".py":
        return set(re.findall(r"^[\w *]+?\b(\w+)\([^;]*?\)\s*\{", text, re.MULTILINE)) | set(
            re.findall(r"^#define (\w+)\(", text, re.MULTILINE)
        )
    tree_ = ast.parse(text)
    names = {node.name for node in ast.walk(tree_) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    for owner in ast.walk(tree_):
        if isinstance(owner, ast.ClassDef):
            names |= {f"{owner.name}.{node.name}" for node in owner.body
                      if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}  # fmt: skip
    return names


def test_journeys_name_real_functions() -> None:
    steps = STEP.findall((tree.ROOT / "docs" / "journeys.md").read_text())
    assert len(steps) > 20
    missing = [
        f"{file}:{function}"
        for file, function in steps
        if not (tree.ROOT / file).is_file() or function not in functions(tree.ROOT / file)
    ]

    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=tree.name)
def test_links_lead_somewhere(page: Path) -> None:
    missing = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]

    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=tree.name)
def test_commands_exist(page: Path) -> None:
    environments = tomllib.loads((tree.ROOT / "hatch.toml").read_text())["envs"]
    scripts = {f"{name}:{script}" for name, its in environments.items() for script in its["scripts"]}
    scripts |= set(environments["default"]["scripts"])
    named = set(re.findall(r"\./hatchw run ([\w:-]+)", page.read_text()))

    assert named <= scripts | {"mirrord", "python", "NAME"}


def test_the_list_of_hooks_is_the_table() -> None:
    assert hooks.PAGE.read_text() == hooks.page()
    assert "- **" in hooks.page()
