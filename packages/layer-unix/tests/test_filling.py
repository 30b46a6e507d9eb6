"""Files that are being filled, and files read by request: no program ever reads a byte that isn't there yet."""

from __future__ import annotations

import subprocess
from array import array
from pathlib import Path

import pytest

from layer_programs import Both, Programs, Runner, need
from layer_session import Session

pytestmark = pytest.mark.programs

WORD = 0x0101010101010101
SIZE = 2_500_003

BOTH_KINDS = [
    *[
        ("filling", case)
        for case in ("in_order", "at_random", "vectors", "statuses", "sent", "asynchronous", "nowhere")
    ],
    *[("streams", case) for case in ("opened_stream", "stream_of_descriptor", "reopened_stream", "stream_by_name")],
    *[("streams", case) for case in ("duplicated_input", "duplicated_by_number", "opened_input", "inherited")],
    *[("sharing", case) for case in ("threads", "forked", "interrupted")],
]
"""A program and its case."""
FILLING_ALONE = [("filling", "mapped"), ("filling", "shared"), ("filling", "copied"), ("filling", "sought")]


def write_content(path: Path) -> None:
    """What programs/content.h expects."""
    path.write_bytes(array("Q", range(WORD, WORD + SIZE + 8, 8)).tobytes()[:SIZE])


@pytest.mark.parametrize(("program", "case"), [*BOTH_KINDS, *FILLING_ALONE])
def test_filling(run_both: Both, session: Session, truth: Path, program: str, case: str) -> None:
    write_content(truth / "large")
    session.remote.head = 128 * 1024

    run_both(program, "large", case)

    assert session.remote.questions("WAIT") or case in {"statuses", "sought"}


@pytest.mark.parametrize(("program", "case"), BOTH_KINDS)
def test_by_request(run_both: Both, session: Session, truth: Path, program: str, case: str) -> None:
    write_content(truth / "request")
    session.remote.request_names = {"request"}

    run_both(program, "request", case)

    assert session.remote.questions("READ") or case == "statuses"


@pytest.mark.parametrize(("program", "case"), BOTH_KINDS)
def test_under_musl(run_musl: Both, session: Session, truth: Path, program: str, case: str) -> None:
    for name in ("large", "request"):
        write_content(truth / name)
    session.remote.request_names = {"request"}

    run_musl(program, "large", case)
    run_musl(program, "request", case)


@pytest.mark.parametrize("compiler", ["zig", "musl-gcc"])
@pytest.mark.parametrize("name", ["large", "request"])
def test_small_stack(
    session: Session, truth: Path, tmp_path: Path, compile_program: Programs, name: str, compiler: str
) -> None:
    need(compiler if compiler == "musl-gcc" else "env")
    write_content(truth / name)
    session.remote.request_names = {"request"}

    Runner(compile_program, session, truth, tmp_path, compiler)("streams", name, "small_stack")

    assert session.remote.questions("READ", "WAIT")


def test_program_run_by_its_descriptor(run_both: Both, session: Session, truth: Path) -> None:
    program = truth / "program"
    program.write_bytes(Path("/bin/true").read_bytes() + bytes(SIZE))
    program.chmod(0o755)

    run_both("actions", "program")

    assert session.remote.questions("WAIT")


@pytest.mark.parametrize("name", ["large", "request"])
def test_static_program_finds_its_input_there(
    session: Session, truth: Path, compile_program: Programs, name: str
) -> None:
    need("musl-gcc")
    write_content(truth / name)
    session.remote.request_names = {"request"}
    program = compile_program("streams", "-static", compiler="musl-gcc", output="streams-static")

    session.run("bash", "-c", f"{program} - {truth / name} input < {session.path(name)}")


@pytest.mark.parametrize("compiler", ["zig", "musl-gcc"])
def test_session_gone(session: Session, truth: Path, compile_program: Programs, compiler: str) -> None:
    need(compiler if compiler == "musl-gcc" else "env")
    for name in ("large", "request"):
        write_content(truth / name)
    (truth / "small").write_text("small")
    session.remote.request_names = {"request"}
    program = compile_program("gone", compiler=compiler, output=f"gone-{compiler}")

    pipe = subprocess.PIPE
    with session.start(program, session.path().rstrip("/"), stdin=pipe, stdout=pipe, stderr=pipe) as started:
        assert started.stdout
        assert started.stdout.readline() == b"ready\n"
        session.die()
        out, err = started.communicate(b"x", timeout=60)

    assert (started.returncode, out) == (0, b""), err
