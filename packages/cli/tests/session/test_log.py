"""The log: JSON lines with their context."""

from __future__ import annotations

import io
import json

from mirrord_cli.session.log import Log


def test_a_line_is_json_with_its_context() -> None:
    file = io.StringIO()
    log = Log(file, process="session", pid=7)
    log.info("ready")
    log.warning("lost", reason='a\n"b"')
    log.error("failed")

    lines = [json.loads(line) for line in file.getvalue().splitlines()]
    assert all(line.pop("timestamp") for line in lines)
    context = {"process": "session", "pid": 7}
    assert lines == [
        context | {"event": "ready", "level": "info"},
        context | {"event": "lost", "level": "warning", "reason": 'a\n"b"'},
        context | {"event": "failed", "level": "error"},
    ]
