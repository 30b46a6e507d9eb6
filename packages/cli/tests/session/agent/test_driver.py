"""An agent is started with what it needs and no more, and whatever goes wrong at that reaches the person."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mirrord_cli.errors import MirrordError
from mirrord_cli.launch.session import start_session
from mirrord_cli.launch.target import find_target
from mirrord_cli.session.settings import EnvironmentRules
from session_run import failure, session, settings_for, target


def test_an_agent_that_cannot_be_started(tmp_path: Path) -> None:
    error = failure(tmp_path, agent_command=("/no/such/agent",))

    assert (error.category, "/no/such/agent" in error.text) == ("us", True)


def test_an_agent_that_falls_over(tmp_path: Path) -> None:
    error = failure(tmp_path, agent_command=(sys.executable, "-c", "import sys; sys.exit('a defect')"))

    assert error.category == "us"
    assert "exit code 1" in error.text
    assert str(tmp_path / "log") in error.next_step
    assert "a defect" in (tmp_path / "log").read_text()


def test_an_agent_that_is_none(tmp_path: Path) -> None:
    program = "import os, sys; os.write(int(sys.argv[sys.argv.index('--connected-fd') + 1]), b'HTTP/1.1 400 Bad Request\\r\\n' * 9)"

    error = failure(tmp_path, agent_command=(sys.executable, "-c", program))

    assert error.category == "us"


def test_an_agent_that_refuses(tmp_path: Path) -> None:
    """Its words reach the person: here, that the target isn't the process that was meant."""
    with target() as pid:
        settings = settings_for(pid, tmp_path)
        settings = replace(settings, target=replace(find_target(pid), start_time=1))
        with pytest.raises(MirrordError) as caught:
            start_session(settings, lambda text: None)

    assert caught.value.category == "you"
    assert str(pid) in caught.value.text
    assert caught.value.next_step


def test_an_environment_that_is_too_large(tmp_path: Path) -> None:
    variables = {f"VARIABLE_{number}": "x" * 100_000 for number in range(12)}
    with subprocess.Popen(["sleep", "1000"], env=os.environ | variables) as process:
        try:
            with pytest.raises(MirrordError, match="environment") as caught:
                start_session(settings_for(process.pid, tmp_path), lambda text: None)
        finally:
            process.kill()

    assert caught.value.category == "configuration"
    assert "feature.env.exclude" in caught.value.next_step


@pytest.mark.parametrize("count", [9_000, 400_000])
def test_more_names_than_an_agent_takes(tmp_path: Path, count: int) -> None:
    """Neither too much for the first frame nor too much for any message is somebody else's fault."""
    names = tuple(b"NAME_%d" % number for number in range(count))

    error = failure(tmp_path, environment=EnvironmentRules(include=names))

    assert error.category == "configuration"
    assert "names of variables" in error.text
    assert "feature.env.include" in error.next_step


def test_the_token_is_not_in_the_agents_arguments(tmp_path: Path) -> None:
    with session(tmp_path) as running:
        [agent] = running.agents()
        arguments = Path(f"/proc/{agent}/cmdline").read_bytes().split(b"\0")

        digest = arguments[arguments.index(b"--token-digest") + 1]
        assert len(bytes.fromhex(digest.decode())) == hashlib.sha256().digest_size


def test_variables_that_are_asked_for() -> None:
    with session(environment=EnvironmentRules(exclude=(b"H*", b"SHOP"))) as running:
        assert dict(running.started.ready.environment) == {b"LINES": b"1\n2"}
    with session(environment=EnvironmentRules(wanted=False)) as running:
        assert running.started.ready.environment == ()
