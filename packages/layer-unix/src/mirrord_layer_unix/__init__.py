"""The typed face of the layer: where the library is, what it hooks, whether it can enter a program.

The library itself is C and knows nothing of Python; the module `_pure` binds those of its units that do no I/O.
"""

from __future__ import annotations

from mirrord_layer_unix.library import ABI, VERSION, Hook, hooks, library_path
from mirrord_layer_unix.program import Program, inspect_program

__all__ = ["ABI", "VERSION", "Hook", "Program", "hooks", "inspect_program", "library_path"]
