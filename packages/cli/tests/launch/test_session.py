"""A session's start: a process of its own that keeps nothing of ours, and how it says that it is ready or isn't.

What runs in it here are scripts in place of `session.server.run`; the fork takes the replacement along.
"""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mirrord_cli.errors import MirrordError
from mirrord_cli.launch import session
from mirrord_cli.session import server, status
from mirrord_cli.session.instructions import Leave, Meet
from mirrord_cli.session.settings import EnvironmentRules, FileRules, LocalTarget, Settings
from mirrord_layer_unix import ABI

Run = Callable[[Settings, int, int], None]
READY = status.Ready(
    environment=((b"A", b"1"), (b"B", b"\xff" * 3_000_000)), target_name=b"shop", target_pid=7, socket_name=b"mirrord-x"
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    log = tmp_path / "log"
    log.touch()
    return Settings(
        target=LocalTarget(pid=1, start_time=1),
        agent_command=("false",),
        files=FileRules(home=b"/h", working_directory=b"/w", temporary=b"/tmp", executable=b"/bin/true"),
        environment=EnvironmentRules(),
        library=b"/layer.so",
        log_path=os.fsencode(log),
        user_id=os.getuid(),
    )


@pytest.fixture
def replace(monkeypatch: pytest.MonkeyPatch) -> Callable[[Run], None]:
    return lambda run: monkeypatch.setattr(server, "run", run)


def say(connection: int, *messages: status.Message) -> None:
    with socket.socket(fileno=os.dup(connection)) as out:
        for message in messages:
            table = os.memfd_create("table")
            socket.send_fds(out, [status.encode(message)[:10]], [table] if isinstance(message, status.Ready) else [])
            out.sendall(status.encode(message)[10:])
            os.close(table)


def test_ready(settings: Settings, replace: Callable[[Run], None]) -> None:
    replace(lambda settings, link, connection: say(connection, status.Progress("asking"), READY))
    said: list[str] = []

    started = session.start_session(settings, said.append)

    assert started.ready == READY
    assert said == ["asking"]
    assert not os.get_inheritable(started.link)
    variables = started.variables(b"/layer.so", b"/other.so")
    assert variables[b"LD_PRELOAD"] == b"/other.so:/layer.so"
    numbers = [os.fstat(number).st_ino for number in (started.link, started.table)]
    expected = b"%d:%d:%d:%d:%d:mirrord-x" % (ABI, started.link, numbers[0], started.table, numbers[1])
    assert variables[b"MIRRORD_LAYER"] == expected
    started.inherit()
    assert os.get_inheritable(started.link)
    assert os.get_inheritable(started.table)
    assert min(started.link, started.table) >= session.LOWEST
    os.close(started.link)
    os.close(started.table)


def test_it_is_a_process_of_its_own(settings: Settings, replace: Callable[[Run], None], tmp_path: Path) -> None:
    """In a session of its own, no child of ours, with nothing open but its two sockets, and it ends with the link."""

    def run(settings: Settings, link: int, connection: int) -> None:
        facts = {
            "pid": os.getpid(), "session": os.getsid(0), "folder": os.getcwd(),
            "comm": Path("/proc/self/comm").read_text(),
            "open": sorted(int(name) for name in os.listdir("/proc/self/fd") if int(name) > 2) ,
            "ours": sorted([link, connection]),
            "in": os.readlink("/proc/self/fd/0"),
            "core": resource.getrlimit(resource.RLIMIT_CORE),
        }  # fmt: skip
        with open(tmp_path / "facts", "w", encoding="utf-8") as file:
            json.dump(facts, file)
        say(connection, READY)
        os.close(connection)
        with socket.socket(fileno=link) as end:
            end.recv(1)

    replace(run)
    reading, writing = os.pipe()  # what a `$(...)` would wait for
    started = session.start_session(settings, lambda text: None)
    os.close(writing)
    facts = json.loads((tmp_path / "facts").read_text())

    assert facts["session"] != os.getsid(0)
    assert facts["folder"] == "/"
    assert facts["comm"] == "mirrord-session\n"
    assert facts["in"] == os.devnull
    assert facts["core"] == [0, 0]
    assert set(facts["ours"]) <= set(facts["open"])
    assert len(facts["open"]) == 3  # the third is that of the listing itself
    assert os.read(reading, 1) == b""
    with pytest.raises(ChildProcessError):
        os.waitpid(facts["pid"], 0)
    ended = os.pidfd_open(facts["pid"])
    os.close(started.link)
    os.close(started.table)
    assert select.select([ended], [], [], 10)[0]
    os.close(ended)
    os.close(reading)


def test_failure(settings: Settings, replace: Callable[[Run], None]) -> None:
    replace(lambda settings, link, connection: say(connection, status.Failed("you", "No rights.", "Be root.")))

    with pytest.raises(MirrordError) as caught:
        session.start_session(settings, lambda text: None)

    assert (str(caught.value), caught.value.category, caught.value.next_step) == ("No rights.", "you", "Be root.")


def test_a_session_that_dies_says_where_the_reason_is(settings: Settings, replace: Callable[[Run], None]) -> None:
    def run(settings: Settings, link: int, connection: int) -> None:
        raise ValueError("the defect")

    replace(run)

    with pytest.raises(MirrordError) as caught:
        session.start_session(settings, lambda text: None)

    assert settings.log_path is not None
    assert os.fsdecode(settings.log_path) in caught.value.next_step
    assert str(caught.value) == "The session ended before it was ready: ValueError: the defect"
    assert "the defect" in Path(os.fsdecode(settings.log_path)).read_text()
    assert caught.value.category == "us"


def test_a_session_that_dies_without_a_word(settings: Settings, replace: Callable[[Run], None]) -> None:
    replace(lambda settings, link, connection: os._exit(1))

    for each, step in (
        (settings, "report it with the log"),
        (dataclasses.replace(settings, log_path=None), "Set HOME"),
    ):
        with pytest.raises(MirrordError) as caught:
            session.start_session(each, lambda text: None)
        assert str(caught.value) == "The session ended before it was ready."
        assert step in caught.value.next_step


def test_a_limit_of_file_sizes_that_leaves_no_room() -> None:
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n"
        "from mirrord_cli.launch.session import start_session\n"
        "from mirrord_cli.errors import MirrordError\n"
        "try: start_session(None, print)\n"
        "except MirrordError as error: print(error.category, error.text, error.next_step)"
    )

    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.startswith("you No file may be larger than 1048576 bytes here (ulimit -f)")


def test_the_agents_command() -> None:
    assert session.agent_command({}) == (sys.executable, "-P", "-m", "mirrord_agent")
    assert session.agent_command({b"MIRRORD_AGENT_COMMAND": b"relay 'a b' --"}) == ("relay", "a b", "--")


def test_an_agents_command_that_is_none() -> None:
    with pytest.raises(MirrordError, match="No closing quotation") as caught:
        session.agent_command({b"MIRRORD_AGENT_COMMAND": b"relay 'a"})

    assert caught.value.category == "configuration"


def test_a_starter_that_ignores_its_children(settings: Settings, replace: Callable[[Run], None]) -> None:
    replace(lambda settings, link, connection: say(connection, READY))
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        started = session.start_session(settings, lambda text: None)
    finally:
        signal.signal(signal.SIGCHLD, before)

    assert started.ready == READY
    os.close(started.link)
    os.close(started.table)


def test_a_limit_of_file_sizes_is_the_programs(settings: Settings, replace: Callable[[Run], None]) -> None:
    """Memory that the session shares is a file too."""

    def run(settings: Settings, link: int, connection: int) -> None:
        os.ftruncate(os.memfd_create("large"), 1 << 20)
        say(connection, READY)

    replace(run)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        started = session.start_session(settings, lambda text: None)
        assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == 4096
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert started.ready == READY
    os.close(started.link)
    os.close(started.table)


def test_a_session_that_dies_before_it_reads_what_it_is_told(
    settings: Settings, replace: Callable[[Run], None]
) -> None:
    """The kernel resets a connection whose other end had something to read."""

    def run(_settings: Settings, _link: int, connection: int) -> None:
        select.select([connection], [], [])
        os._exit(9)

    replace(run)
    with session.fork_session(settings) as forked:
        assert forked.tell(Meet(pod="shop"))
        with pytest.raises(MirrordError, match="ended before it was ready"):
            forked.wait(lambda _text: None)


def test_what_a_session_has_said_by_now(settings: Settings, replace: Callable[[Run], None]) -> None:
    """Nothing, then more than one thing; and it is ready before it has read what it was told."""
    ready = status.Ready(environment=(), target_name=b"shop", target_pid=7, socket_name=b"mirrord-x")

    def run(_settings: Settings, _link: int, connection: int) -> None:
        select.select([connection], [], [])
        say(connection, status.Progress("waiting"), status.Unmet("us", "no", "yes"))
        say(connection, ready)

    replace(run)
    said = list[str]()
    with session.fork_session(settings) as forked:
        assert forked.hear(said.append) is None
        assert forked.began is None
        assert forked.tell(Meet(pod="shop"))
        assert forked.wait(said.append) == status.Unmet("us", "no", "yes")
        while forked.tell(Leave()):  # pytest's time-out bounds it
            os.sched_yield()
        started = forked.wait(said.append)
        assert isinstance(started, session.Started) and started.ready == ready
        os.close(started.link)
        os.close(started.table)
    assert said == ["waiting"]


def test_what_a_session_says_before_it_dies(settings: Settings, replace: Callable[[Run], None]) -> None:
    def run(_settings: Settings, _link: int, connection: int) -> None:
        say(connection, status.Failed("you", "There is no room.", "Make some."))

    replace(run)
    with session.fork_session(settings) as forked:
        while forked.silent:  # pytest's time-out bounds it
            os.sched_yield()

        assert forked.failure().text == "There is no room."
