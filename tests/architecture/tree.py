"""The checkout as the architecture tests see it: which files are ours, and how to read them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PACKAGES = {
    "protocol": "mirrord_protocol",
    "agent": "mirrord_agent",
    "layer-unix": "mirrord_layer_unix",
    "cli": "mirrord_cli",
}
SKIPPED = {"__pycache__", "build", "dist", "node_modules"}
CODE = {".py", ".c", ".h", ".def", ".sh"}


def files(folder: Path = ROOT) -> Iterator[Path]:
    """Every file below a folder but what tools made and what git keeps for itself."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            if path.name not in SKIPPED and (not path.name.startswith(".") or path.name == ".ci"):
                yield from files(path)
        elif path.suffix not in {".so", ".pyc"}:
            yield path


def code() -> Iterator[Path]:
    """Every file of code written by hand."""
    return (path for path in files() if path.suffix in CODE and "generated" not in path.parts)


def name(path: Path) -> str:
    """A path as people write it: from the top."""
    return path.relative_to(ROOT).as_posix()


def source(package: str) -> Path:
    """The folder of a package's Python sources."""
    return ROOT / "packages" / package / "src" / PACKAGES[package]
