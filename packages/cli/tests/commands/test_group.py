"""The command line's frame: help, version, and what isn't there."""

from __future__ import annotations

import pytest

from mirrord_cli import VERSION
from mirrord_cli.commands.group import COMMANDS, run
from mirrord_cli.errors import MirrordError


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["exec", "--help"], ["rbac", "-h"], ["verify-config", "-h"]])
def test_help_fits_a_terminal(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 0

    out, err = capsys.readouterr()
    assert err == ""
    assert "mirrord" in out
    assert max(map(len, out.splitlines())) <= 80


def test_help_has_examples_and_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    run(["--help"])

    out = capsys.readouterr().out
    assert "  mirrord exec -t process/4711 -- python app.py\n" in out
    assert all(f"  {name} " in out for name in COMMANDS)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"mirrord {VERSION}\n"


def test_nothing_asked_for_shows_help_as_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 64
    assert "Usage: mirrord" in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["exec", "--no-telemetry", "--", "x"], "The option --no-telemetry is not supported yet"),
        (["exec", "-k", "x"], "The option -k is not supported yet"),
        (["exec", "--targt", "x"], "No such option.*--targt"),
        (["exec"], "Missing argument 'PROGRAM'"),
        (["exec", "--fs-mode"], "requires an argument"),
        (["container", "--", "docker"], "The command container is not supported yet"),
        (["bogus"], "No such command 'bogus'"),
        (["--bogus"], "No such option.*--bogus"),
        (["verify-config"], "Missing argument 'PATH'"),
    ],
)
def test_mistakes_are_yours_and_have_a_next_step(arguments: list[str], said: str) -> None:
    with pytest.raises(MirrordError, match=said) as caught:
        run(arguments)
    assert caught.value.category == "you"
    assert "--help" in caught.value.next_step
