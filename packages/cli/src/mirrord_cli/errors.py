"""An error for a person: what went wrong, whose turn it is, and what to do next. How it looks on a terminal is ui/'s."""

from __future__ import annotations

from types import MappingProxyType

EXIT_CODES = MappingProxyType({"you": 64, "configuration": 78, "cluster": 69, "us": 70})
"""By category; the numbers of sysexits.h. None is a shell's, and none is 1, which so many programs use."""
INTERRUPTED = 130
"""As a shell reports a program that SIGINT ended."""


class MirrordError(Exception):
    """Ends `mirrord` with a clear word.

    Args:
        category: Whose turn it is: `you`, `configuration`, `cluster`, `us`.
        text: What went wrong, in whole sentences.
        next_step: What to do about it.
        exit_code: Where it isn't the category's: 127 for a program that isn't there, 126 for one that can't be run.
    """

    def __init__(self, category: str, text: str, next_step: str, exit_code: int | None = None) -> None:
        super().__init__(text)
        self.category = category
        self.text = text
        self.next_step = next_step
        self.exit_code = EXIT_CODES[category] if exit_code is None else exit_code
