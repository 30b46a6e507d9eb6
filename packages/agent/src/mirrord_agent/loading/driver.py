"""Whether modules that are loaded when they are needed can still be read then, by whoever we are.

The agent becomes the target's user, who sees the same files as before, but with that user's rights alone. In its own image
everybody may read them, and a tenth of a second is saved before the session is served.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

LATE = ("mirrord_agent", "structlog", "dns", "encodings")
"""A module of each folder from which something is loaded late; the last is Python's own."""


def everybody_may_load() -> bool:
    """Whether what is loaded late may be read by everybody. Loads nothing."""
    specs = [find_spec(name) for name in LATE]
    return all(spec is not None and spec.origin is not None and everybody_may_read(spec.origin) for spec in specs)


def everybody_may_read(path: str | Path) -> bool:
    """Whether everybody may read a file and what lies beside it: by its mode, and that of all folders above."""
    return _may(path, stat.S_IROTH) and all(_may(folder, stat.S_IXOTH | stat.S_IROTH) for folder in _above(Path(path)))


def _above(path: Path) -> Iterable[Path]:
    return path.absolute().parents


def _may(path: str | Path, wanted: int) -> bool:
    try:
        return os.stat(path).st_mode & wanted == wanted
    except PermissionError:  # not even we
        return False
