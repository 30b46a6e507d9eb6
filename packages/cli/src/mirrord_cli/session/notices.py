"""What people are told on a program's standard error: of children that the layer can't enter, once for each program,
and, with the next such question, that the agent is gone. No I/O.
"""

from __future__ import annotations

import os
from typing import Final

from mirrord_protocol.layer_values import LayerNotice

REASONS: Final = {
    LayerNotice.STATIC: "is linked statically: mirrord's layer can't be loaded into it",
    LayerNotice.PRIVILEGED: "is set-user-ID, set-group-ID or has file capabilities: the loader keeps mirrord's layer out",
    LayerNotice.GO: "is written in Go, whose calls never pass the C library that mirrord's layer stands before",
}
MOST: Final = 1000
"""Programs that are remembered."""


class Notices:
    """Texts for standard error."""

    def __init__(self) -> None:
        self._told: set[bytes] = set()
        self._waiting = b""

    def lost(self, reason: str) -> None:
        """Note that the agent is gone."""
        if not self._waiting:
            self._waiting = f"mirrord: the target's files can't be read any more: {reason}.\n".encode()

    def text(self, kind: int, program: bytes) -> bytes:
        """Return lines about a program, or nothing if it was told before."""
        waiting, self._waiting = self._waiting, b""
        if program in self._told or len(self._told) >= MOST or kind not in REASONS:
            return waiting
        self._told.add(program)
        name = "".join(
            letter if letter.isprintable() else "?" for letter in os.path.basename(program).decode(errors="replace")
        )
        return (
            waiting
            + f"mirrord: {name} {REASONS[LayerNotice(kind)]}; it runs, and sees this machine's files.\n".encode()
        )
