"""Why a session doesn't start, for a person; status.py has how it travels. No I/O."""

from __future__ import annotations


class SessionFailed(Exception):
    """The session can't be had.

    Args:
        category: Whose turn it is: `you`, `configuration`, `cluster`, `us`.
        text: What went wrong, in whole sentences.
        next_step: What to do about it.
    """

    def __init__(self, category: str, text: str, next_step: str) -> None:
        super().__init__(text)
        self.category = category
        self.text = text
        self.next_step = next_step
