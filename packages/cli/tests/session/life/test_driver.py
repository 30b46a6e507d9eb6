"""When a session ends, and that nothing is left of it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from mirrord_protocol.layer_values import LayerOperation
from session_layer import ask
from session_run import HERE, failure, gone, session, target

OPEN = LayerOperation.OPEN


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


def test_the_command_line_ends_first(tmp_path: Path) -> None:
    """While the agent starts, which here never answers: nothing is left of either."""
    program = (
        "import os, sys; sys.path[:0] = sys.argv[1:2]\n"
        "from pathlib import Path; from session_run import *\n"
        "import threading\n"
        "settings = settings_for(int(sys.argv[2]), Path(sys.argv[3]), agent_command=('sh', '-c', 'echo $$ >> $0; exec sleep 1000', sys.argv[4]))\n"
        "start_session(settings, lambda text: None)\n"
    )
    note = tmp_path / "agent"
    os.mkfifo(note)
    with target() as pid:
        command = [sys.executable, "-c", program, HERE, str(pid), str(tmp_path), str(note)]
        with subprocess.Popen(command) as process:
            agent = int(note.read_text())
            parent = int(Path(f"/proc/{agent}/stat").read_text().rpartition(")")[2].split()[1])
            process.kill()

    assert gone(parent)
    assert gone(agent)


def test_a_temporary_directory_that_is_none(tmp_path: Path) -> None:
    error = failure(tmp_path, temporary_directory=b"/no/such/folder")

    assert (error.category, "/no/such/folder" in error.text, "TMPDIR" in error.next_step) == ("you", True, True)
