"""`mirrord exec` up to the session: what it refuses, and the settings it makes. tests/journeys has the whole."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mirrord_cli.commands import exec as exec_
from mirrord_cli.commands.exec import exec_command
from mirrord_cli.config.keys import all_keys
from mirrord_cli.config.resolve import resolve, said_of
from mirrord_cli.environment import BUILT_IN
from mirrord_cli.errors import MirrordError
from mirrord_cli.launch import find_program, find_target
from mirrord_cli.session.settings import IncomingMode, Mode, Settings

Runs = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def mirrord(tmp_path: Path) -> Runs:
    """Runs `mirrord exec` in a folder and an environment of its own."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "mirrord_cli", "exec", *arguments],
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)} | variables,
            cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        )  # fmt: skip

    return run


@pytest.mark.parametrize(
    ("arguments", "variables", "code", "said"),
    [
        (["--", "true"], {}, 64, "No target is named.\n         Name a target"),
        (
            ["-t", "pod/shop", "--", "true"],
            {"KUBECONFIG": "/no/such/file"},
            78,
            "There is no kubeconfig: looked for /no/such/file",
        ),
        (["--", "true"], {"MIRRORD_IMPERSONATED_TARGET": "process/x"}, 78, "'x' is no process's number"),
        (["-f", "none.json", "--", "true"], {}, 78, "none.json can't be read"),
        (["-f", "--", "true"], {}, 78, "./.mirrord/mirrord.json can't be read"),
        (["-f", "-q", "true"], {}, 78, "./.mirrord/mirrord.json can't be read"),
        (["-f", "-", "true"], {}, 78, "Standard input is not valid JSON"),
        (["true"], {"MIRRORD_CONFIG_FILE": "none.json"}, 78, "none.json can't be read"),
        (["-s", "A", "-x", "B", "true"], {}, 64, "include and exclude"),
        (["--fs-mode", "write", "true"], {}, 64, "'write' is not supported yet"),
        (["-t", "process/1", "--env-file", "no.env", "true"], {}, 78, "no.env can't be read"),
        (["-t", "process/1", "no-such-program", "--version"], {}, 127, "no-such-program was not found"),
        (["-t", "process/1", "./plain"], {}, 126, "no permission"),
        (["-t", "process/99999999", "true"], {}, 64, "no process 99999999"),
        (["-t", "", "true"], {"MIRRORD_IMPERSONATED_TARGET": "process/1"}, 64, "The target's name is empty"),
        (["-f", "", "true"], {}, 64, "configuration file's name is empty"),
        (
            ["-t", "process/1", "true"],
            {"MIRRORD_AGENT_TCP_STEAL_TRAFFIC": "some"},
            78,
            "The variable MIRRORD_AGENT_TCP",
        ),
        (
            ["-t", "process/1", "true"],
            {"MIRRORD_HTTP_PATH_FILTER": "/x"},
            78,
            "filters of HTTP requests are not supported",
        ),
        (["-t", "process/1", "true"], {"MIRRORD_IGNORE_DEBUGGER_PORTS": "x"}, 78, "names no ports: 'x' is no port"),
        (["-t", "process/1", "true"], {"MIRRORD_LAYER": "1:2:3"}, 64, "already runs under mirrord"),
    ],
)
def test_refusals(
    mirrord: Runs, tmp_path: Path, arguments: list[str], variables: dict[str, str], code: int, said: str
) -> None:  # fmt: skip
    (tmp_path / "plain").write_text("text")

    done = mirrord(*arguments, **variables)

    assert done.stdout == ""
    assert said in done.stderr
    assert done.stderr.startswith("mirrord: ")
    assert "Traceback" not in done.stderr
    assert done.returncode == code


def test_warnings_are_shown_unless_quiet(mirrord: Runs) -> None:
    said = "The variable MIRRORD_KEY is set"

    assert said in mirrord("true", MIRRORD_KEY="x").stderr
    assert said not in mirrord("-q", "true", MIRRORD_KEY="x").stderr


def test_options_are_those_of_the_definition() -> None:
    options = {option for parameter in exec_command.params for option in parameter.opts}

    assert {option for key in all_keys() for option in key.option} <= options


def test_options_that_were_given_say_something() -> None:
    given: dict[str, str | bool | tuple[str, ...] | None] = {
        "key_target__path": "", "key_feature__env__include": ("A", "B"), "key_feature__env__exclude": (),
        "key_feature__network__incoming__mode": True, "key_feature__network__outgoing": False, "key_feature__fs__mode": None,
    }  # fmt: skip

    assert exec_._options(given) == {
        "target.path": "", "feature.env.include": "A;B", "feature.network.incoming.mode": "steal"
    }  # fmt: skip


def settings(tree: Any = None, options: dict[str, str] | None = None, **variables: str) -> Settings:
    """The settings for a file and options."""
    own = {name.encode(): os.fsencode(value) for name, value in variables.items()}
    resolved = resolve(tree or {}, said_of(options or {}, {}), {}).resolved
    assert resolved
    found = find_program(b"sh", b"/usr/bin:/bin")
    return exec_._settings(resolved, find_target(os.getpid()), found, own, (b"gcc",))


def test_settings_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    made = settings(HOME=f"{tmp_path}/./x/..//home/", TMPDIR="/var//tmp/")

    assert made.target == find_target(os.getpid())
    assert made.files.mode is Mode.READ
    assert made.files.home == os.fsencode(tmp_path) + b"/home"
    assert made.files.working_directory == os.fsencode(tmp_path)
    assert made.files.temporary == made.temporary_directory == b"/var/tmp"
    assert made.files.executable == os.path.realpath(b"/bin/sh")
    assert made.environment.wanted
    assert made.environment.include == ()
    assert made.environment.exclude == BUILT_IN
    assert made.skipped_programs == (b"gcc",)
    assert made.time_to_live == 1.0
    assert made.user_id == os.geteuid()
    assert made.library.endswith(b".so")
    assert made.log_path and os.stat(made.log_path).st_size == 0


def test_settings_from_a_file() -> None:
    fs = {
        "mode": "localwithoverrides",
        "local": "a",
        "read_only": ["b"],
        "not_found": "c",
        "mapping": {"d": "e"},
        "cache_ttl": 0,
    }

    made = settings({"feature": {"fs": fs, "env": {"exclude": ["X*", "é"]}}})

    assert made.files.mode is Mode.LOCAL_WITH_OVERRIDES
    assert (made.files.local, made.files.read_only, made.files.not_found) == (("a",), ("b",), ("c",))
    assert made.files.mapping == (("d", "e"),)
    assert made.time_to_live == 0
    assert made.environment.exclude == (*BUILT_IN, b"X*", "é".encode())


def test_the_networks_rules_are_the_configurations() -> None:
    made = settings(
        {"feature": {"network": {"incoming": "steal", "dns": False}}}, {"feature.network.outgoing": "false"}
    )

    assert made.network.incoming.mode is IncomingMode.STEAL
    assert not (made.network.names or made.network.tcp or made.network.udp)


def test_no_environment_is_wanted_where_it_is_off() -> None:
    assert not settings({"feature": {"env": False}}).environment.wanted
    assert settings({"feature": {"env": False}}, {"feature.env.include": "A"}).environment.include == (b"A",)


def test_homes_and_temporary_folders_that_are_no_paths() -> None:
    made = settings(HOME="x", TMPDIR="y")

    assert made.files.home.startswith(b"/")
    assert made.temporary_directory == b"/tmp"
    assert made.log_path is None


def test_a_working_directory_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    with pytest.raises(MirrordError, match="working directory can't be used"):
        settings(HOME="/")


def test_letters_that_the_locale_lacks_are_utf_8(tmp_path: Path) -> None:
    program = "from mirrord_cli.commands.exec import _bytes; print(_bytes('\\u6f22') + _bytes('\\udcff'))"
    command = [sys.executable, "-X", "utf8=0", "-c", program]
    environment = {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PATH": os.environ["PATH"]}

    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)

    assert done.stdout == "b'\\xe6\\xbc\\xa2\\xff'\n"


def test_wishes(tmp_path: Path) -> None:
    (tmp_path / "x.env").write_text("A=$B\n")
    env = {"env_file": str(tmp_path / "x.env"), "mapping": {"^A": "m"}, "override": {"O": "é"}, "unset": ["u"]}
    resolved = resolve({"feature": {"env": env}}, {}, {}).resolved
    assert resolved

    wishes = exec_._wishes(resolved, {b"B": b"b"})

    assert (wishes.file, wishes.mapping) == ({b"A": b"b"}, {"^A": b"m"})
    assert (wishes.override, wishes.unset) == ({b"O": "é".encode()}, (b"u",))


@pytest.mark.parametrize("folder", ["My Projects", "a:b"])
def test_a_layer_that_cannot_be_preloaded(monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    """LD_PRELOAD has no quoting: the program would run without the layer, after a complaint of the loader's."""
    monkeypatch.setattr(exec_, "library_path", lambda: Path("/opt") / folder / "layer.so")

    with pytest.raises(MirrordError, match=folder) as caught:
        exec_._library()

    assert "whose path has neither" in caught.value.next_step
