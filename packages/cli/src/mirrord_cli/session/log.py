"""The session's log: one JSON object a line, as the agent's is. Never contents, variables or tokens.

Written by hand: a logging library takes longer to load than all else that a session needs (docs/decisions/0006).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TextIO


class Log:
    """What the rest of the session logs with."""

    def __init__(self, file: TextIO, **context: str | int) -> None:
        self._file = file
        self._context = context

    def info(self, event: str, **values: str | int) -> None:
        """Note what is as it should be."""
        self._write("info", event, values)

    def warning(self, event: str, **values: str | int) -> None:
        """Note what a person may want to look at."""
        self._write("warning", event, values)

    def error(self, event: str, **values: str | int) -> None:
        """Note what ends the session."""
        self._write("error", event, values)

    def _write(self, level: str, event: str, values: dict[str, str | int]) -> None:
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        line = self._context | values | {"event": event, "level": level, "timestamp": now}
        self._file.write(json.dumps(line) + "\n")
