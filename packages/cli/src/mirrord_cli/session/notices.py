"""What people are told about children that the layer can't enter: once for each program. No I/O."""

from __future__ import annotations

from typing import Final

from mirrord_protocol.values import LayerNotice

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

    def text(self, kind: int, program: bytes) -> bytes:
        """Return a line about a program, or nothing if it was told before."""
        if program in self._told or len(self._told) >= MOST or kind not in REASONS:
            return b""
        self._told.add(program)
        reason = REASONS[LayerNotice(kind)].encode()
        return b"mirrord: %s %s; it runs, and sees this machine's files.\n" % (program, reason)
