"""Which side serves a path: the modes, the default rules, and the user's patterns."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.kit.run import Runner
from tests.kit.target import Target

pytestmark = pytest.mark.journey
SIDE = "/srv/shop/tree/a/side.txt"


def cat(runner: Runner, target: Target, path: str, fs: Any = None, *options: str) -> str:
    """What `cat` prints, on either stream."""
    if fs is not None:
        config = runner.folder / "mirrord.json"
        config.write_text(json.dumps({"feature": {"fs": fs}}))
        options = ("-f", str(config))
    done = runner.exec(target, "cat", path, options=("-q", *options))
    return done.stdout + done.stderr.replace("cat: ", "")


def absent(path: str) -> str:
    return f"{path}: No such file or directory\n"


def test_mode_read_is_the_default(runner: Runner, target: Target) -> None:
    assert cat(runner, target, SIDE) == "side\n"


@pytest.mark.parametrize("fs", ["local", False, {"mode": "local"}])
def test_mode_local(runner: Runner, target: Target, fs: Any) -> None:
    assert cat(runner, target, SIDE, fs) == absent(SIDE)


def test_mode_option_and_variable(runner: Runner, target: Target) -> None:
    assert cat(runner, target, SIDE, None, "--fs-mode", "local") == absent(SIDE)
    done = runner.exec(target, "cat", SIDE, env={"MIRRORD_FILE_MODE": "local"})
    assert done.stdout == ""


def test_mode_localwithoverrides(runner: Runner, target: Target) -> None:
    """Local but for what is remote by default and the user's patterns."""
    target.write("/etc/hostname", "over-there\n")

    assert cat(runner, target, SIDE, "localwithoverrides") == absent(SIDE)
    assert cat(runner, target, SIDE, {"mode": "localwithoverrides", "read_only": ["^/srv/shop/TREE/"]}) == "side\n"
    assert cat(runner, target, "/etc/hostname", "localwithoverrides") == "over-there\n"


@pytest.mark.parametrize("fs", ["write", {"mode": "write"}, {"read_write": ["/srv"]}])
def test_what_is_not_built_is_refused_by_name(runner: Runner, target: Target, fs: Any) -> None:
    said = cat(runner, target, SIDE, fs)

    assert "write" in said
    assert "side" not in said


def test_patterns(runner: Runner, target: Target) -> None:
    here = runner.folder / "here.txt"
    here.write_text("here\n")
    fs = {
        "mode": "read",
        "local": ["\\.bin$"],
        "not_found": ["orders/00"],
        "mapping": {"^/virtual/(?P<name>\\w+)": "/srv/shop/orders/${name}", "^/mine": str(runner.folder)},
    }

    assert cat(runner, target, "/srv/shop/orders/010.txt", fs) == "order 10\n"
    assert cat(runner, target, "/srv/shop/orders/001.txt", fs) == absent("/srv/shop/orders/001.txt")
    assert cat(runner, target, "/srv/shop/large.bin", fs) == absent("/srv/shop/large.bin")
    assert cat(runner, target, "/virtual/055.txt", fs) == "order 55\n"
    assert cat(runner, target, "/mine/here.txt", fs) == "here\n"


def test_defaults(runner: Runner, target: Target) -> None:
    """This machine's programs, libraries and folders stay; the target's name service comes."""
    target.write("/etc/hosts", "10.0.0.1 over-there\n")
    target.write("/usr/share/remote.txt", "remote\n")
    target.write("/srv/lib.so", "remote\n")

    assert cat(runner, target, "/etc/hosts") == "10.0.0.1 over-there\n"
    assert cat(runner, target, "/usr/share/remote.txt") == absent("/usr/share/remote.txt")
    assert cat(runner, target, "/srv/lib.so") == absent("/srv/lib.so")


def test_credentials_of_clouds_are_hidden(runner: Runner, target: Target) -> None:
    file = runner.folder / "home" / ".kube" / "config"
    file.parent.mkdir(parents=True)
    file.write_text("secret\n")

    assert cat(runner, target, str(file)) == absent(str(file))


def test_changes_stay_here(runner: Runner, target: Target) -> None:
    """In a remote working directory a write goes to the same absolute path on this machine, where that isn't."""
    script = "cd /srv/shop/orders && ls | wc -l; echo x > new; mkdir made; rm 001.txt; mv 002.txt 003.txt; chmod 0 004.txt; ls | wc -l"

    done = runner.exec(target, "bash", "-c", script)

    assert done.stdout == "120\n120\n"
    assert done.stderr.count("No such file or directory") == 5
    assert len(list(target.path("/srv/shop/orders").iterdir())) == 120


def test_skipped_programs_see_this_machine(runner: Runner, target: Target) -> None:
    script = f"cat {SIDE}; head -n 1 {SIDE}"

    done = runner.exec(target, "bash", "-c", script, options=("-q", "--skip-processes", "head"))

    assert done.stdout == "side\n"
    assert "head: " in done.stderr
