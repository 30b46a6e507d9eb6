"""Credential plug-ins run for real: found, asked, overheard, and ended when they go wrong."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mirrord_cli.cluster.access.kubeconfig import Cluster, Plugin
from mirrord_cli.cluster.access.machine import Credentials
from mirrord_cli.cluster.access.plugin.driver import run_plugin
from mirrord_cli.errors import MirrordError

V1 = "client.authentication.k8s.io/v1"
ANSWER = json.dumps({"apiVersion": V1, "kind": "ExecCredential", "status": {"token": "t"}})
Script = Callable[[str], Path]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    def write(body: str) -> Path:
        path = tmp_path / "plugin"
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o700)
        return path

    return write


def run(command: str | Path, *, path: str = os.defpath, **values: Any) -> Credentials:
    plugin = Plugin(**({"command": str(command), "api_version": V1, "interactive_mode": "Never"} | values))
    return run_plugin(plugin, Cluster(server="https://c"), b"", {"PATH": path})


def test_a_path_or_a_command(script: Script) -> None:
    path = script(f"echo '{ANSWER}'")

    assert run(path) == Credentials("Bearer t")
    assert run("plugin", path=f"/nowhere:{path.parent}:{os.defpath}") == Credentials("Bearer t")


def test_it_gets_its_arguments_and_environment_and_no_input(script: Script, tmp_path: Path) -> None:
    path = script(f"echo \"$1 $2\" >{tmp_path}/said; cat >>{tmp_path}/said; pwd >>{tmp_path}/said; echo '{ANSWER}'")

    run(path, args=["get", "to ken"])

    assert (tmp_path / "said").read_text() == f"get to ken\n{Path.cwd()}\n"


def test_what_it_complains_is_seen_at_once(script: Script, capfd: pytest.CaptureFixture[str]) -> None:
    path = script(f"echo 'Sign in at https://sign.in.test' >&2; echo '{ANSWER}'")

    assert run(path) == Credentials("Bearer t")
    assert capfd.readouterr().err == "Sign in at https://sign.in.test\n"


def test_one_that_fails(script: Script, capfd: pytest.CaptureFixture[str]) -> None:
    path = script("echo first >&2; echo 'The session has expired.' >&2; exit 4")

    with pytest.raises(MirrordError, match=r"plugin ended with code 4: The session has expired.$"):
        run(path)

    assert capfd.readouterr().err == "first\nThe session has expired.\n"


def test_a_child_that_keeps_its_standard_error_holds_nobody_up(
    script: Script, capfd: pytest.CaptureFixture[str]
) -> None:
    path = script(f"sleep 100 >/dev/null & echo $! >&2; echo '{ANSWER}'")

    assert run(path) == Credentials("Bearer t")

    os.kill(int(capfd.readouterr().err), signal.SIGKILL)


def test_one_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("no program")
    for command in (tmp_path / "none", "none", "folder", "text"):
        with pytest.raises(MirrordError, match="isn't installed here"):
            run(command, path=str(tmp_path))


def test_one_that_can_not_be_run(tmp_path: Path) -> None:
    path = tmp_path / "plugin"
    path.write_bytes(b"\x7fELF and nothing else")
    path.chmod(0o700)

    with pytest.raises(MirrordError, match="can't be run: Exec format error"):
        run(path)
    with pytest.raises(MirrordError, match="can't be run: Permission denied"):
        run(tmp_path)


def test_one_that_never_ends_its_answer(script: Script) -> None:
    with pytest.raises(MirrordError, match="too long"):
        run(script("exec cat /dev/zero"))


@pytest.mark.parametrize("mode", ["IfAvailable", "Never"])
def test_one_that_asks_has_the_terminal(script: Script, tmp_path: Path, mode: str) -> None:
    path = script(f"read -r name; test -t 2 && where=terminal; echo \"$name $where\" >{tmp_path}/said; echo '{ANSWER}'")
    code = f"""
from mirrord_cli.cluster.access.kubeconfig import Cluster, Plugin
from mirrord_cli.cluster.access.plugin.driver import run_plugin
plugin = Plugin(command={str(path)!r}, api_version={V1!r}, interactive_mode={mode!r})
run_plugin(plugin, Cluster(), b"", {{}})
"""
    ours, theirs = pty.openpty()
    try:
        os.write(ours, b"alice\n")
        subprocess.run([sys.executable, "-c", code], stdin=theirs, stderr=theirs, check=True, timeout=60)
    finally:
        os.close(ours)
        os.close(theirs)

    assert (tmp_path / "said").read_text() == ("alice terminal\n" if mode == "IfAvailable" else " \n")
