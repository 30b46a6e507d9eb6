"""Writes docs/hooks.md, the list of hooked functions, from the layer's table.

`./hatchw run hooks` after a change of hooks.def; tests/architecture sees when it was forgotten.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
TABLE = ROOT / "packages" / "layer-unix" / "csrc" / "hooks.def"
PAGE = ROOT / "docs" / "hooks.md"
HEAD = """# Hooked functions

Made from `packages/layer-unix/csrc/hooks.def` by `./hatchw run hooks`.
Which file of `packages/layer-unix/csrc/hooks/` has which calls is told by the comments of the files that it includes.

"""


def table() -> str:
    """The whole table's text: the files that hooks.def includes, in its order."""
    included = re.findall(r'^#include "(.+)"$', TABLE.read_text(), re.MULTILINE)
    return "".join((TABLE.parent / name).read_text() for name in included)


def page() -> str:
    """The page's text."""
    families: dict[str, list[str]] = {}
    for family, name in re.findall(r"^\w*HOOK\w*\(\s*(\w+)\s*,[^,]+,\s*(\w+)\s*,", table(), re.MULTILINE):
        families.setdefault(family, []).append(name)
    lines = (f"- **{family}**: {', '.join(f'`{name}`' for name in names)}\n" for family, names in families.items())
    return HEAD + "".join(lines)


def main() -> int:
    """Write the page; the process's exit code."""
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
