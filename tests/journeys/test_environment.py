"""The program's environment is the target's, as the configuration wants it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.kit.run import PYTHON, Runner
from tests.kit.target import Target

pytestmark = pytest.mark.journey
SHOW = "import json, os; print(json.dumps(dict(os.environ)))"


def seen(
    runner: Runner,
    target: Target,
    env: Mapping[str, Any] | bool | None = None,
    options: tuple[str, ...] = (),
    local: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The environment that a program gets, with `feature.env` as given."""
    if env is not None:
        config = runner.folder / "mirrord.json"
        config.write_text(json.dumps({"feature": {"env": env}}))
        options = (*options, "-f", str(config))
    done = runner.exec(target, PYTHON, "-c", SHOW, options=("-q", *options), env=local)
    assert done.returncode == 0, done.stderr
    environment: dict[str, str] = json.loads(done.stdout)
    return environment


def test_the_targets_variables_win_and_the_developers_own_stay(runner: Runner, target: Target) -> None:
    environment = seen(runner, target, local={"SHOP_NAME": "mine", "ONLY_HERE": "x"})

    assert environment["SHOP_NAME"] == "Pears & Sons"
    assert environment["SHOP_LINES"] == "one\ntwo"
    assert environment["EMPTY"] == ""
    assert environment["ONLY_HERE"] == "x"


def test_what_belongs_to_this_machine_is_never_imported(runner: Runner, target: Target) -> None:
    environment = seen(runner, target, {"include": "*"})

    assert environment["HOME"] == str(runner.folder / "home")
    assert "/remote/bin" not in environment["PATH"]
    assert "LD_LIBRARY_PATH" not in environment


@pytest.mark.parametrize("options", [(), ("-s", "SHOP_N*;EMPTY")])
def test_include(runner: Runner, target: Target, options: tuple[str, ...]) -> None:
    environment = seen(runner, target, None if options else {"include": ["SHOP_N*", "EMPTY"]}, options)

    assert environment["SHOP_NAME"] == "Pears & Sons"
    assert "EMPTY" in environment
    assert "SHOP_SECRET" not in environment


@pytest.mark.parametrize("options", [(), ("-x", "SHOP_S?CRET")])
def test_exclude(runner: Runner, target: Target, options: tuple[str, ...]) -> None:
    environment = seen(runner, target, None if options else {"exclude": "SHOP_S?CRET"}, options)

    assert environment["SHOP_NAME"] == "Pears & Sons"
    assert "SHOP_SECRET" not in environment


def test_off(runner: Runner, target: Target) -> None:
    assert "SHOP_NAME" not in seen(runner, target, env=False)


def test_env_file_mapping_override_and_unset_in_that_order(runner: Runner, target: Target) -> None:
    file = runner.folder / "values.env"
    file.write_text("# a comment\nSHOP_NAME=\"from the file\"\nexport NEW='single $HOME'\nMAPPED=file\n")

    environment = seen(
        runner,
        target,
        {
            "env_file": str(file),
            "mapping": {"^MAP.*": "mapped"},
            "override": {"OVER": "ridden", "SHOP_SECRET": "mine", "GONE": "x"},
            "unset": ["gone", "shop_lines"],
        },
        local={"OVER": "local"},
    )

    assert environment["SHOP_NAME"] == "from the file"
    assert environment["NEW"] == "single $HOME"
    assert environment["MAPPED"] == "mapped"
    assert environment["OVER"] == "ridden"
    assert environment["SHOP_SECRET"] == "mine"
    assert "GONE" not in environment
    assert "SHOP_LINES" not in environment


def test_env_file_option(runner: Runner, target: Target) -> None:
    (runner.folder / "values.env").write_text("SHOP_NAME=file\n")

    assert seen(runner, target, options=("--env-file", "values.env"))["SHOP_NAME"] == "file"


def test_a_child_has_the_same(runner: Runner, target: Target) -> None:
    done = runner.exec(target, "sh", "-c", "sh -c 'echo $SHOP_NAME'")

    assert done.stdout == "Pears & Sons\n"


def test_include_and_exclude_together_are_refused(runner: Runner, target: Target) -> None:
    done = runner.exec(target, "true", options=("-q", "-s", "A", "-x", "B"))

    assert done.returncode not in {0, 1}
    assert "include" in done.stderr
    assert "exclude" in done.stderr


def test_modules_of_the_program_are_the_programs_alone(runner: Runner, target: Target) -> None:
    """On PYTHONPATH, whatever their names: neither session nor agent loads them."""
    for name in ("secrets", "trio", "capnp", "structlog", "msgspec"):
        (runner.folder / f"{name}.py").write_text("raise SystemExit('shadowed')")

    done = runner.exec(target, "sh", "-c", "echo $PYTHONPATH $SHOP_NAME", env={"PYTHONPATH": str(runner.folder)})

    assert (done.stderr, done.stdout) == ("", f"{runner.folder} Pears & Sons\n")
