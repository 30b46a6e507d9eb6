"""The layer's inner face, by programs that are linked with its units: the link and identities, plain and sanitized."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from layer_programs import Programs, need
from layer_session import Session
from layer_table import CHANGES_ASK, OFF, RELATIVE_ASK
from mirrord_layer_unix import build
from mirrord_protocol.layer_values import LayerRequest

pytestmark = pytest.mark.programs

Run = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture(params=["plain", "sanitized"])
def inner(request: pytest.FixtureRequest, compile_program: Programs) -> Callable[[str], str]:
    """Compile a program together with the layer's units."""
    units = [*build.includes(), *map(str, build.layer_sources())]

    def compile_inner(name: str) -> str:
        if request.param == "plain":
            return compile_program(name, *units)
        need("gcc")
        sanitize = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
        return compile_program(name, *units, *sanitize, compiler="gcc", output=f"{name}-sanitized")

    return compile_inner


@pytest.fixture
def run(inner: Callable[[str], str], session: Session, truth: Path) -> Run:
    """Run a case of a program without the preload: the layer is in it."""
    (truth / "file").write_text("hello")

    def run_case(name: str, case: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
        # Memory that is never freed is right in a library that never allocates and in a program that ends.
        environment = {"LD_PRELOAD": "", "ASAN_OPTIONS": "detect_leaks=0"}
        return session.run(inner(name), session.path().rstrip("/"), case, env=environment, **options)

    return run_case


@pytest.mark.parametrize("case", ["plain", "crowd", "full", "streams"])
def test_questions(run: Run, case: str) -> None:
    run("inner_link", case)


def test_lost_link_comes_back_by_name(run: Run, session: Session) -> None:
    run("inner_link", "closed")

    # Once by the program, once by its vfork child, and once more by the program, whose memory the child shared.
    assert session.connections == 3


def test_signals_while_waiting(run: Run, session: Session) -> None:
    reader, writer = os.pipe()
    ticks = 0

    def wait_for_three(request: LayerRequest, payload: bytes) -> None:
        nonlocal ticks
        while request.operation.name == "OPEN" and ticks < 3:
            ticks += len(os.read(reader, 1))

    session.before = wait_for_three
    session.environment["TICKS"] = str(writer)
    run("inner_link", "signals", pass_fds=(writer,))
    os.close(reader)
    os.close(writer)


def test_session_that_ended_before(run: Run, session: Session) -> None:
    session.die()

    run("inner_link", "gone")


def test_session_that_dies_while_asked(run: Run, session: Session) -> None:
    """The channel lives on in a thread here, as it may in a forked child: the link alone tells of the death."""
    asked, release = threading.Event(), threading.Event()

    def hold(request: LayerRequest, payload: bytes) -> None:
        asked.set()
        release.wait()

    session.before = hold

    def kill() -> None:
        asked.wait()
        session.die()

    killer = threading.Thread(target=kill)
    killer.start()
    run("inner_link", "gone")
    release.set()
    killer.join()


def is_sending(pid: int) -> bool:
    """Whether a thread of a process waits in sendmsg."""
    calls = Path(f"/proc/{pid}/task").glob("*/syscall")
    return any(call.read_text().split()[0] == "46" for call in calls)


def test_session_that_dies_with_its_queue_full(inner: Callable[[str], str], session: Session) -> None:
    if os.uname().machine != "x86_64" or not os.access("/proc/self/syscall", os.R_OK):
        pytest.skip("this kernel doesn't tell where a thread waits")
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    fields = session.variable.split(":")
    fields[1:3] = [str(theirs.fileno()), str(os.fstat(theirs.fileno()).st_ino)]
    fields[5] = "nobody listens here"
    environment = {**session.environment, "LD_PRELOAD": "", "MIRRORD_LAYER": ":".join(fields)}
    command = [inner("inner_link"), session.path().rstrip("/"), "flood"]
    with session.start(*command, env=environment, pass_fds=(theirs.fileno(),), stderr=subprocess.PIPE) as program:
        theirs.close()
        while not is_sending(program.pid):
            assert program.poll() is None
        ours.close()
        _, err = program.communicate(timeout=60)

    assert (program.returncode, err) == (0, b"")


@pytest.fixture
def tree(truth: Path, session: Session) -> Path:
    """Files of every form; `large` holds 1 + offset % 251 at each offset and arrives in 64 KiB steps."""
    (truth / "whole").write_text("hello")
    (truth / "large").write_bytes(bytes(1 + at % 251 for at in range(251)) * 5000)
    (truth / "request").write_text("as asked")
    (truth / "directory").mkdir()
    (truth / "many").mkdir()
    for number in range(400):
        (truth / "many" / str(number)).write_text(str(number))
    session.remote.request_names = {"request"}
    return truth


@pytest.mark.usefixtures("tree")
def test_forms(run: Run, session: Session) -> None:
    run("inner_identity", "forms")

    # Those of our own memfd, of the directory (whose stat is asked for each time), and of one that doesn't exist.
    # Others were learnt when they were opened.
    assert len(session.remote.questions("IDENTIFY")) <= 3


@pytest.mark.usefixtures("tree")
def test_inherited_descriptor_is_asked_about_once(run: Run, session: Session) -> None:
    made = session.remote.hand_out(session.remote.truth / "whole")
    run("inner_identity", "inherited", stdin=made)
    os.close(made)

    assert len(session.remote.questions("IDENTIFY")) == 1


@pytest.mark.usefixtures("tree")
def test_waiting_asks_once_for_each_gap(run: Run, session: Session) -> None:
    run("inner_identity", "waits")

    assert len(session.remote.questions("WAIT")) == 7


@pytest.mark.usefixtures("tree")
def test_cache_that_overflows_under_threads(run: Run) -> None:
    run("inner_identity", "many")


@pytest.mark.usefixtures("tree")
def test_session_that_dies_while_a_file_is_filled(inner: Callable[[str], str], session: Session) -> None:
    command = [inner("inner_identity"), session.path().rstrip("/"), "gone"]
    environment = {"LD_PRELOAD": "", "ASAN_OPTIONS": "detect_leaks=0"}
    opened = threading.Event()
    session.after = lambda request: opened.set() if request.operation.name == "OPEN" else None
    with session.start(*command, env=environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        opened.wait()
        session.die()
        _, err = program.communicate(timeout=60)

    assert (program.returncode, err) == (0, b"")


@pytest.fixture
def places(truth: Path, session: Session) -> Session:
    (truth / "folder").mkdir()
    (truth / "folder" / "inside").write_text("inside")
    (truth / "mapped").write_text("here")
    session.remote.not_found = {b"/remote-files/hidden", b"hidden"}
    session.remote.mapping = {b"/usr/mapped": b"/usr/elsewhere", b"/var/mapped": b"/var/elsewhere"}
    return session


@pytest.mark.parametrize("case", ["sides", "relative"])
def test_where_paths_go(run: Run, places: Session, case: str) -> None:
    run("inner_ask", case)


@pytest.mark.parametrize("flags", [0, CHANGES_ASK | RELATIVE_ASK])
def test_changes_ask_if_patterns_may_matter(run: Run, places: Session, flags: int) -> None:
    places.table.set_flags(flags)
    run("inner_ask", "places")

    assert bool(places.asked) == bool(flags)


def test_file_hooks_that_are_off(run: Run, session: Session) -> None:
    session.table.set_flags(OFF)
    run("inner_ask", "off")

    assert session.asked == []


def test_what_was_told_of_addresses(inner: Callable[[str], str]) -> None:
    subprocess.run([inner("inner_known")], check=True, timeout=60)
