"""Prints the shape of each package: sizes, header words, leaks of I/O into pure modules, tests against source.

`./hatchw run shape`. The numbers are for people; what must hold is in tests/architecture.
"""

from __future__ import annotations

import ast
import re
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

IO = {"anyio", "asyncio", "select", "socket", "ssl", "subprocess", "threading", "time", "trio"}
IMPURE = re.compile(r"(^|/)((driver|server|connections|relay|testing|__main__)\.py$|(client|commands|launch)/)")


def imported(tree: ast.AST) -> Iterator[str]:
    """The top-level names of the modules that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").partition(".")[0]


def lines_of(folder: Path) -> int:
    """How many lines of Python, C and shell a folder has."""
    files = (path for path in folder.rglob("*") if path.suffix in {".py", ".c", ".h", ".sh"})
    return sum(path.read_text(errors="replace").count("\n") for path in files)


def report(package: Path) -> None:
    """Print a package's numbers in one line."""
    sizes, leaks, headers = [], [], 0
    for path in sorted([*package.glob("src/**/*.py"), *package.glob("csrc/**/*.[ch]")]):
        text = path.read_text(errors="replace")
        name = path.relative_to(package).as_posix()
        if not text.strip() or "generated" in name:
            continue
        sizes.append((text.count("\n"), name))
        if path.suffix == ".py":
            tree = ast.parse(text)
            headers += bool(ast.get_docstring(tree))
            leaks += [name] * (not IMPURE.search(name) and bool(IO & set(imported(tree))))
        else:
            headers += text.lstrip().startswith("/*")
    if not sizes:
        return
    numbers, total = sorted(size for size, _ in sizes), sum(size for size, _ in sizes)
    print(
        f"{package.name}: {len(numbers)} files, {total} lines, median {statistics.median(numbers):.0f}, "
        f"p90 {numbers[int(len(numbers) * 0.9)]}, largest {max(sizes)[0]} ({max(sizes)[1]}), "
        f"header words {100 * headers // len(numbers)} %, tests/source {lines_of(package / 'tests') / total:.2f}, "
        f"leaks {leaks or 'none'}"
    )


def main() -> int:
    """Report every package; the process's exit code."""
    for package in sorted(Path(__file__).parent.parent.glob("packages/*/")):
        report(package)
    return 0


if __name__ == "__main__":
    sys.exit(main())
