"""The session's log: structlog, one JSON object a line. Never contents, variables or tokens.

structlog is loaded with the first line, or by `load` while nothing is urgent: it takes as long to load as all else.
"""

from __future__ import annotations

import os
from typing import Any


class Log:
    """What the rest of the session logs with.

    Args:
        path: A file, made where it isn't there; None: nothing is logged.
    """

    def __init__(self, path: bytes | None) -> None:
        fd = os.open(path or os.devnull, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._file = os.fdopen(fd, "w", buffering=1, encoding="utf-8", errors="backslashreplace")
        self._logger: Any = None

    def __call__(self, level: str, event: str, **values: Any) -> None:
        """Write a line; the level is a method of structlog's loggers."""
        self.load()
        getattr(self._logger, level)(event, **values)

    def load(self) -> None:
        """Get ready to write."""
        if self._logger is None:
            import structlog

            self._logger = structlog.wrap_logger(
                structlog.WriteLogger(self._file),
                processors=[
                    structlog.processors.add_log_level,
                    structlog.processors.TimeStamper(fmt="iso", utc=True),
                    structlog.processors.JSONRenderer(),
                ],
            ).bind(process="session", pid=os.getpid())

    def close(self) -> None:
        """Write no more."""
        self._file.close()
