"""The wheel's build hook: compiles the library and the cffi module, and names the wheel after what they need.

The work is done by mirrord_layer_unix.build, which is loaded by its path, since the package can't be imported before it
is built. An editable install compiles too.
"""

from __future__ import annotations

import importlib.util
import platform
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


def load_build(root: Path) -> ModuleType:
    """Load the build module from the source tree."""
    path = root / "src" / "mirrord_layer_unix" / "build.py"
    spec = importlib.util.spec_from_file_location("mirrord_layer_unix_build", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


class CustomBuildHook(BuildHookInterface[Any]):
    """Adds the compiled files to the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and tag the wheel: any Python from 3.11 on, any libc from glibc 2.17 on."""
        if self.target_name != "wheel":
            return
        build = load_build(Path(self.root))
        build.build()
        if version != "editable":
            package = "src/mirrord_layer_unix"
            build_data["force_include"] |= {
                f"{package}/{name}": f"mirrord_layer_unix/{name}" for name in (build.LIBRARY, build.MODULE)
            }
        build_data["pure_python"] = False
        glibc = build.GLIBC.replace(".", "_")
        build_data["tag"] = f"cp311-abi3-manylinux_{glibc}_{platform.machine()}"
