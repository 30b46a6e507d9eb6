"""What becomes of errors: words on standard error, and the exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mirrord_cli import __main__ as program
from mirrord_cli.commands import group
from mirrord_cli.errors import MirrordError


def ending(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> int:
    """The exit code where a command ends with an error."""

    def run(arguments: list[str]) -> int:
        raise error

    monkeypatch.setattr(group, "run", run)
    return program.main()


def test_an_error_is_told_and_has_its_code(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    assert ending(monkeypatch, MirrordError("cluster", "Text.", "Next.")) == 69
    assert capfd.readouterr().err == "mirrord: Text.\n         Next.\n"


def test_a_defect_is_ours_and_its_trace_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    assert ending(monkeypatch, ZeroDivisionError("oh")) == 70
    (log,) = tmp_path.rglob("*.log")
    said = capfd.readouterr().err
    assert "a mistake of its own: ZeroDivisionError: oh" in said
    assert "Traceback" not in said
    assert str(log) in said
    assert "Traceback" in log.read_text()


def test_a_defect_without_a_place_for_logs_shows_its_trace(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null")

    assert ending(monkeypatch, ZeroDivisionError("oh")) == 70
    assert "Traceback" in capfd.readouterr().err


def test_an_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ending(monkeypatch, KeyboardInterrupt()) == 130


def test_an_interrupt_while_a_configuration_is_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "c.json")
    command = [sys.executable, "-m", "mirrord_cli", "exec", "-f", "c.json", "true"]
    with subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        writer = os.open(tmp_path / "c.json", os.O_WRONLY)  # opens when the program has opened it for reading
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        os.close(writer)

    assert process.returncode == 130
    assert b"Traceback" not in said


def test_the_version_is_printed_by_the_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mirrord_cli", "--version"], capture_output=True, text=True, check=True
    )

    assert done.stdout.startswith("mirrord ")


def test_an_interrupt_while_it_loads() -> None:
    """Raised where the interpreter would raise it: in the middle of an import."""
    finder = (
        "class Finder:\n    def find_spec(self, name, *rest):\n        if name == 'click': raise KeyboardInterrupt\n"
    )
    command = f"import sys\n{finder}sys.meta_path.insert(0, Finder())\nfrom mirrord_cli.__main__ import main\nsys.exit(main())"

    done = subprocess.run([sys.executable, "-P", "-c", command], capture_output=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_the_programs_modules_come_last() -> None:
    path = ["/code", "/python", "/code/sub", "/site"]

    assert program.own_modules_first(path, "/code:/code/sub/:") == ["/python", "/site", "/code", "/code/sub"]
    assert program.own_modules_first(path, "") == path
