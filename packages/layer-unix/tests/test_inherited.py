"""Remote files that programs get as descriptors: those that the layer is in, and those that it can't or mustn't enter."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from layer_programs import Both, Programs, need
from layer_session import Session, scripted_session
from test_filling import write_content

pytestmark = pytest.mark.programs

NAMES = ("large", "request", "small")
CASES = ("passes", "moves", "opens", "opens_nothing")


def prepare(session: Session, truth: Path) -> None:
    """A file of each kind, of which no byte is there from the start."""
    for name in NAMES:
        write_content(truth / name)
    with (truth / "small").open("rb+") as file:
        file.truncate(100_003)
    session.remote.request_names = {"request"}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", CASES)
def test_children_with_the_layer(run_both: Both, session: Session, truth: Path, name: str, case: str) -> None:
    prepare(session, truth)

    run_both("inherited", name, case)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", CASES)
def test_children_with_the_layer_under_musl(
    run_musl: Both, session: Session, truth: Path, name: str, case: str
) -> None:
    prepare(session, truth)

    run_musl("inherited", name, case)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", ["passes", "moves", "opens"])
def test_static_children(session: Session, truth: Path, compile_program: Programs, name: str, case: str) -> None:
    need("musl-gcc")
    prepare(session, truth)
    static = compile_program("inherited", "-static", compiler="musl-gcc", output="inherited-static")

    session.run(compile_program("inherited"), session.path().rstrip("/"), name, case, static, str(truth / name))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", ["passes", "moves", "opens"])
def test_skipped_children(
    truth: Path, tmp_path: Path, library: Path, compile_program: Programs, name: str, case: str
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    program = compile_program("inherited")
    skipped = shutil.copy(program, tmp_path / "skipped")
    with scripted_session(truth, scratch, library, names=[b"skipped"]) as session:
        prepare(session, truth)
        session.run(program, session.path().rstrip("/"), name, case, str(skipped), str(truth / name))
