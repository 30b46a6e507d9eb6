"""Whole sessions with real agents: start, answers, loss, and that nothing is left."""

from __future__ import annotations

import os
import signal
import stat
from pathlib import Path

import pytest

from mirrord_protocol.layer_values import LayerOperation, LayerOutcome
from session_layer import ask, begin, finish
from session_run import gone, log_of, session

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
