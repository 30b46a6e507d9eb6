"""Files, standard input, the variable that names a file, the branch; and how mistakes are reported."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from mirrord_cli.config.driver import DEFAULT_FILE, examine, load
from mirrord_cli.errors import MirrordError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(
    text: bytes | str | None, options: dict[str, str] | None = None, name: str = "mirrord.json"
) -> MirrordError:
    if text is not None:
        Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(MirrordError) as caught:
        load(options or {}, {}, name if text is not None else None)
    return caught.value


def test_without_a_file(folder: Path) -> None:
    assert load({"target.path": "process/1"}, {}).target == 1


def test_the_file_named_wins_over_the_variables(folder: Path) -> None:
    (folder / "a.yaml").write_text("target: process/1")
    (folder / "b.toml").write_text('target = "process/2"')

    assert load({}, {"MIRRORD_CONFIG_FILE": "a.yaml"}).target == 1
    assert load({}, {"MIRRORD_CONFIG_FILE": "a.yaml"}, "b.toml").target == 2


def test_the_home_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "c.json").write_text('{"target": "process/3"}')
    monkeypatch.setenv("HOME", str(folder))

    assert load({}, {"MIRRORD_CONFIG_FILE": "~/c.json"}).target == 3


def test_the_default_file(folder: Path) -> None:
    (folder / ".mirrord").mkdir()
    (folder / DEFAULT_FILE).write_text('{"target": "process/4"}')

    assert load({}, {}, DEFAULT_FILE).target == 4


def test_a_name_without_ending_is_json_and_may_begin_with_a_mark(folder: Path) -> None:
    (folder / "conf").write_text('\ufeff{"target": "process/5"}')

    assert load({}, {}, "conf").target == 5


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"target": "process/6"}')))

    assert load({}, {}, "-").target == 6


def test_a_template(folder: Path) -> None:
    (folder / "t.json").write_text('{"target": "process/{{ get_env(name="PID") }}"}')

    assert load({}, {"PID": "7"}, "t.json").target == 7
    with pytest.raises(MirrordError, match=r"t.json can't be rendered: the variable PID isn't set"):
        load({}, {}, "t.json")


def test_the_branch_is_gits_or_the_variables(folder: Path) -> None:
    (folder / "t.yaml").write_text('feature: {env: {override: {BRANCH: "{{ git_branch }}"}}}')

    def branch(variables: dict[str, str]) -> str:
        return load({}, variables, "t.yaml").config.feature.env.override["BRANCH"]

    assert branch({"MIRRORD_BRANCH_NAME": "given"}) == "given"
    subprocess.run(["git", "init", "-q", "-b", "from-git"], check=True)
    assert branch({}) == "from-git"


def test_mistakes_in_a_file_name_it_and_the_line(folder: Path) -> None:
    error = refused('{\n"feature": {\n"evn": 1}, "x": 2}')

    assert error.category == "configuration"
    assert error.text.splitlines() == [
        "mirrord.json, line 3: There is no key feature.evn. Did you mean feature.env?",
        "mirrord.json, line 3: There is no key x.",
    ]
    assert "verify-config --schema" in error.next_step


def test_mistakes_in_options_are_yours(folder: Path) -> None:
    error = refused("{}", {"feature.fs.mode": "wirte"})

    assert error.category == "you"
    assert error.text == "The option --fs-mode must be 'read', 'local' or 'localwithoverrides', not 'wirte'."


def test_mistakes_in_variables_are_the_configurations() -> None:
    with pytest.raises(MirrordError, match=r"The variable MIRRORD_FILE_LOCAL_PATTERN: the pattern '\('") as caught:
        load({}, {"MIRRORD_FILE_LOCAL_PATTERN": "("})
    assert caught.value.category == "configuration"


def test_include_and_exclude_as_options_are_yours(folder: Path) -> None:
    error = refused(None, {"feature.env.include": "A", "feature.env.exclude": "B"})

    assert (error.category, error.text) == (
        "you",
        "Both include and exclude of feature.env are given, and only one can be.",
    )


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("mirrord.ini", b"", "no known format: its name ends in '.ini'"),
        ("mirrord.json", b'{"a": ', "mirrord.json is not valid JSON: line 1"),
        ("mirrord.json", b"\xff", "not UTF-8 text \\(byte 0\\)"),
        ("mirrord.json", b" " * 2_000_000, "larger than"),
        ("mirrord.toml", b"[", "not valid TOML"),
    ],
)
def test_files_that_cannot_be_used(folder: Path, name: str, text: bytes, said: str) -> None:
    error = refused(text, name=name)

    assert error.category == "configuration"
    with pytest.raises(MirrordError, match=said):
        raise error


@pytest.mark.parametrize(("name", "said"), [("missing.json", "No such file"), (".", "no known format|Is a directory")])
def test_files_that_are_not_there(folder: Path, name: str, said: str) -> None:
    with pytest.raises(MirrordError, match=said):
        load({}, {}, name)


def test_examining_returns_the_problems(folder: Path) -> None:
    (folder / "m.json").write_text('{"a": 1, "b": 2}')

    outcome, source, said = examine({}, {}, "m.json")

    assert outcome.resolved is None
    assert [source.place(problem, said) for problem in outcome.problems] == [
        "m.json, line 1: There is no key a.",
        "m.json, line 1: There is no key b.",
    ]
