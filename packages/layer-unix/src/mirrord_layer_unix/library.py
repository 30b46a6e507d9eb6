"""The preloaded library as Python sees it: its path, its version, its list of hooks. The library is in csrc/."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mirrord_layer_unix._pure import ffi, lib

VERSION = "0.1.0"
"""Of this package, and so of the library in it."""

ABI: int = lib.LAYER_ABI
"""The first number of MIRRORD_LAYER. The library refuses any other."""


@dataclass(frozen=True, slots=True)
class Hook:
    """A function of libc that the layer stands before."""

    family: str
    name: str


def library_path() -> Path:
    """Return the absolute path to preload.

    Raises:
        FileNotFoundError: A checkout whose layer wasn't compiled.
    """
    path = Path(__file__).resolve().parent / "libmirrord_layer.so"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: run ./hatchw run layer")
    return path


def hooks() -> tuple[Hook, ...]:
    """Return every hooked function, in the order of hooks.def."""
    lines: str = ffi.string(lib.hook_list).decode()
    return tuple(Hook(*line.split()) for line in lines.splitlines())
