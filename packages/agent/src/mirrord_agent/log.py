"""The agent's log: structlog, one JSON object a line on standard error. Never contents, variables or tokens.

structlog is loaded with the first line that is written, for it takes a tenth of a second: as long as the agent has rights
to read it. Who gives those up calls `load` before.
"""

from __future__ import annotations

import sys
from typing import Any

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class Log:
    """What the rest of the agent logs with."""

    def __init__(self, level: str) -> None:
        self._level = LEVELS[level]
        self._context: dict[str, Any] = {}
        self._logger: Any = None

    def __call__(self, level: str, event: str, **values: Any) -> None:
        """Write one line, if lines of that level are wanted."""
        if LEVELS[level] < self._level:
            return
        self.load()
        getattr(self._logger, level)(event, **self._context, **values)

    def add(self, **context: Any) -> None:
        """Have all lines from now on say this too."""
        self._context |= context

    def load(self) -> None:
        """Have all ready for writing, as if a line had been written."""
        if self._logger is not None:
            return
        import structlog

        self._logger = structlog.wrap_logger(
            structlog.PrintLogger(sys.stderr),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )
