"""Whole sessions with real agents: start, answers, loss, and that nothing is left."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from mirrord_protocol.values import LayerOperation, LayerOutcome
from session_layer import ask, begin, finish
from session_run import failure, gone, log_of, session, target

OPEN, STAT, LIST, ENTER = LayerOperation.OPEN, LayerOperation.STAT, LayerOperation.LIST, LayerOperation.ENTER
WAIT, READ, IDENTIFY = LayerOperation.WAIT, LayerOperation.READ, LayerOperation.IDENTIFY


def test_start_and_end(tmp_path: Path) -> None:
    with session(tmp_path) as running:
        ready = running.started.ready
        assert dict(ready.environment) == {b"SHOP": b"Pears", b"LINES": b"1\n2", b"HOME": b"/there"}
        assert ready.target_name == b"sleep"
        assert os.pread(running.started.table, 8, 0) == b"MIRRORDT"
        assert len(running.agents()) == 1

    [ended] = [line for line in log_of(tmp_path) if line["event"] == "session ended"]
    assert (ended["round_trips"], ended["questions"]) == (0, 0)
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) == 0o600
    assert "Pears" not in (tmp_path / "log").read_text()


def test_the_agent_is_killed(tmp_path: Path) -> None:
    (tmp_path / "srv").mkdir()
    (tmp_path / "srv" / "large").write_bytes(bytes(100_000_000))
    with session(tmp_path) as running:
        opened = running.ask(OPEN, "large")
        waiting = begin(running.link, WAIT, b"", device=opened.reply.device, inode=opened.reply.inode, length=1 << 40)
        [agent] = running.agents()
        os.kill(agent, signal.SIGKILL)
        answer = finish(waiting)

        assert answer
        assert answer.reply.errno in {"EIO", None}  # it may have been quicker
        assert {running.ask(each, "other").reply.errno for each in (OPEN, STAT, LIST, ENTER)} == {"EIO"}
        assert ask(running.link, STAT, b"/etc/passwd").reply.outcome is LayerOutcome.LOCAL
        notice = ask(running.link, LayerOperation.NOTICE, b"/bin/x").payload
        assert b"can't be read any more" in notice
        opened.close()


def test_the_session_is_killed(tmp_path: Path) -> None:
    with session(tmp_path) as running:
        [agent] = running.agents()
        os.kill(running.pid, signal.SIGKILL)

        assert gone(agent)
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            running.link.send(b"x")


def test_it_is_told_to_end(tmp_path: Path) -> None:
    with session(tmp_path) as running:
        agents = running.agents()
        os.kill(running.pid, signal.SIGTERM)

        assert gone(running.pid)
        assert all(gone(agent) for agent in agents)


def test_a_program_that_lost_its_link_comes_back(tmp_path: Path) -> None:
    """By the abstract socket, as long as it has the table mapped."""
    (tmp_path / "srv").mkdir()
    (tmp_path / "srv" / "file").write_bytes(b"here")
    with session(tmp_path) as running:
        running.link.close()
        assert not gone(running.pid, 0.7)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as link:
            link.connect(b"\0" + running.started.ready.socket_name)
            assert ask(link, OPEN, os.fsencode(tmp_path / "srv" / "file")).content() == b"here"
            table = ask(link, LayerOperation.TABLE)
            os.close(running.started.table)
            assert os.pread(table.fds[0], 8, 0) == b"MIRRORDT"
            table.close()
            assert not gone(running.pid, 0.3)
        assert gone(running.pid)


# ---------------------------------------------------------------------------------------------- no start


def test_a_temporary_directory_that_is_none(tmp_path: Path) -> None:
    error = failure(tmp_path, temporary_directory=b"/no/such/folder")

    assert (error.category, "/no/such/folder" in error.text, "TMPDIR" in error.next_step) == ("you", True, True)


def test_the_command_line_ends_first(tmp_path: Path) -> None:
    """While the agent starts, which here never answers: nothing is left of either."""
    program = (
        "import os, sys; sys.path[:0] = sys.argv[1:2]\n"
        "from pathlib import Path; from session_run import *\n"
        "import threading\n"
        "settings = settings_for(int(sys.argv[2]), Path(sys.argv[3]), agent_command=('sh', '-c', 'echo $$ >> $0; exec sleep 1000', sys.argv[4]))\n"
        "start_session(settings, lambda text: None)\n"
    )
    tests, note = os.path.dirname(os.path.dirname(__file__)), tmp_path / "agent"
    os.mkfifo(note)
    with target() as pid:
        command = [sys.executable, "-c", program, tests, str(pid), str(tmp_path), str(note)]
        with subprocess.Popen(command) as process:
            agent = int(note.read_text())
            parent = int(Path(f"/proc/{agent}/stat").read_text().rpartition(")")[2].split()[1])
            process.kill()

    assert gone(parent)
    assert gone(agent)
