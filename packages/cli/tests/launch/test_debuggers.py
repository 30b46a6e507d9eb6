"""Ports of debuggers, named and found."""

from __future__ import annotations

from pathlib import Path

import pytest

from mirrord_cli.errors import MirrordError
from mirrord_cli.launch.debuggers import debugger_ports, unknown_detector


def test_named_and_found() -> None:
    variables = {"MIRRORD_IGNORE_DEBUGGER_PORTS": "5678,6000-6010", "NODE_OPTIONS": "--inspect=9230"}

    found = debugger_ports(["python", "-m", "debugpy", "--listen", "5678", "app.py"], variables)

    assert found == ((5678, 5678), (6000, 6010), (9230, 9230))
    assert debugger_ports(["sh"], {}) == ()


def test_files_of_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "args").write_text("-agentlib:jdwp=transport=dt_socket,server=y,address=5005")

    assert debugger_ports(["java", "@args", "App"], {}) == ((5005, 5005),)
    assert debugger_ports(["java", "@none", "App"], {}) == ()


def test_what_names_no_ports() -> None:
    with pytest.raises(MirrordError, match="'x' is no port") as caught:
        debugger_ports(["sh"], {"MIRRORD_IGNORE_DEBUGGER_PORTS": "x"})

    assert caught.value.category == "configuration"


def test_debuggers_that_are_wanted() -> None:
    assert unknown_detector({}) is None
    assert unknown_detector({"MIRRORD_DETECT_DEBUGGER_PORT": "debugpy"}) is None
    assert "'gdb'" in (unknown_detector({"MIRRORD_DETECT_DEBUGGER_PORT": "gdb"}) or "")
