"""The log: JSON lines on standard error, structlog only when it is needed."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from mirrord_agent.log import Log


def test_a_line_is_json_with_its_context(capsys: pytest.CaptureFixture[str]) -> None:
    log = Log("info")
    log.add(target=7)
    log("warning", "something", reason="a\nb")

    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    line = json.loads(lines[0])
    assert line.pop("timestamp")
    assert line == {"event": "something", "level": "warning", "target": 7, "reason": "a\nb"}


def test_lower_levels_are_silent(capsys: pytest.CaptureFixture[str]) -> None:
    log = Log("warning")
    log("debug", "no")
    log("info", "no")

    assert capsys.readouterr().err == ""


def test_an_error_takes_one_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        int("odd")
    except ValueError as error:
        Log("error")("error", "a defect", exc_info=(type(error), error, error.__traceback__))

    line = json.loads(capsys.readouterr().err)
    assert "ValueError: " in line["exception"]


def test_nothing_is_loaded_before_it_is_needed() -> None:
    program = (
        "import sys\nfrom mirrord_agent.log import Log\nlog = Log('warning')\nlog('info', 'no')\n"
        "assert 'structlog' not in sys.modules\nlog.load()\nassert 'structlog' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
