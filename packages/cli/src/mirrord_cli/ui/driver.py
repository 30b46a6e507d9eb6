"""Writes to standard error, and shows what is waited for once that takes longer than a person likes.

The wait is timed by an interval timer: there must be no thread, since the session is forked from this process.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType

from mirrord_cli.errors import MirrordError
from mirrord_cli.ui.lines import Summary, error_lines, progress_line, summary_lines, warning_line

PATIENCE = 0.5  # seconds


class Screen:
    """A person's standard error. A quiet one shows errors only."""

    def __init__(self, variables: Mapping[str, str], *, quiet: bool = False) -> None:
        self._quiet = quiet
        terminal = sys.stderr is not None and sys.stderr.isatty()
        self._colour = terminal and not variables.get("NO_COLOR") and variables.get("TERM") != "dumb"
        self._waiting = ""
        self._began = 0.0

    def summary(self, summary: Summary) -> None:
        if not self._quiet:
            self._write(summary_lines(summary, colour=self._colour))

    def warning(self, text: str) -> None:
        if not self._quiet:
            self._write([warning_line(text, colour=self._colour)])

    def error(self, error: MirrordError) -> None:
        self._write(error_lines(error, colour=self._colour))

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """Show this, or what `progress` says meanwhile, if the block takes long.

        A process may inherit an alarm and hand it on to the program: then it is left alone, and nothing is shown.
        """
        if self._quiet or any(signal.getitimer(signal.ITIMER_REAL)):
            yield
            return
        before = signal.signal(signal.SIGALRM, self._patience_ended)
        self._waiting, self._began = text, time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, PATIENCE)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
            self._waiting = ""

    def progress(self, text: str) -> None:
        """Say what is being waited for now."""
        if self._waiting:
            self._waiting = text
            if time.monotonic() - self._began >= PATIENCE:
                self._show_waiting()

    def _patience_ended(self, _number: int, _frame: FrameType | None) -> None:
        self._show_waiting()

    def _show_waiting(self) -> None:
        self._write([progress_line(self._waiting, time.monotonic() - self._began, colour=self._colour)])

    def _write(self, lines: Iterable[str]) -> None:
        # Straight to the descriptor: a signal handler may come in the middle of a buffered write.
        if sys.stderr is not None:
            data = "".join(f"{line}\n" for line in lines).encode(sys.stderr.encoding, "backslashreplace")
            with suppress(OSError):  # nobody reads it any more
                os.write(sys.stderr.fileno(), data)
