"""The web shops that a developer runs on this machine, with the command line for each."""

from __future__ import annotations

import sys
from collections.abc import Callable

from tests.e2e.kit.workloads import PORT


def shop(name: str, require: Callable[[str], str]) -> list[str]:
    """The command for a shop by its framework; to be run in images.SHOP."""
    if name == "flask":
        # As in anyone's virtual environment, with workers that accept what another process listens for.
        return [
            sys.executable, "-m", "gunicorn", "--workers", "2", "--no-control-socket", "--log-level", "warning",
            "-b", f"0.0.0.0:{PORT}", "shop:make('local')",
        ]  # fmt: skip
    return [require("node"), f"shop_{name}.js", str(PORT), "local"]


SERVING = "serving as local"
"""What a shop says once it listens."""
