"""The agent's log: one JSON object a line on standard error. Never contents, variables or tokens.

Written by hand: a logging library takes longer to load than the agent has, and must be loaded before the agent becomes
the target's user, who may not be able to read it (docs/decisions/0006).
"""

from __future__ import annotations

import json
import sys
import traceback
from datetime import UTC, datetime
from types import TracebackType

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
Defect = tuple[type[BaseException], BaseException, TracebackType | None]


class Log:
    """What the rest of the agent logs with."""

    def __init__(self, level: str, **context: str | int) -> None:
        self._level = LEVELS[level]
        self._context = context

    def __call__(self, level: str, event: str, *, exc_info: Defect | None = None, **values: str | int) -> None:
        """Write one line, if lines of that level are wanted."""
        if LEVELS[level] < self._level:
            return
        if exc_info is not None:
            values["exception"] = "".join(traceback.format_exception(*exc_info)).rstrip()
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        line = self._context | values | {"event": event, "level": level, "timestamp": now}
        print(json.dumps(line), file=sys.stderr, flush=True)
