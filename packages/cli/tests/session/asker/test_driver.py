"""What real agents are asked: large files in ranges, files by request, streams, watches."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mirrord_protocol.layer_values import LayerForm, LayerOperation, LayerOutcome
from session_layer import Got, ask
from session_run import Running, round_trips, session

OPEN, STAT, LIST = LayerOperation.OPEN, LayerOperation.STAT, LayerOperation.LIST
WAIT, READ, IDENTIFY = LayerOperation.WAIT, LayerOperation.READ, LayerOperation.IDENTIFY


def read_all(running: Running, size: int, opened: Got, portion: int) -> bytes:
    """Read as a program does under the layer, which waits for what it doesn't know to be there."""
    reply, [fd] = opened.reply, opened.fds
    content, at, known = bytearray(), 0, 0
    while at < size:
        if at + portion > known:
            span = running.ask(WAIT, device=reply.device, inode=reply.inode, offset=at, length=portion).reply
            assert span.outcome is LayerOutcome.DONE
            assert span.offset <= at < span.offset + span.length
            known = span.offset + span.length
        content += os.pread(fd, min(portion, known - at), at)
        at = len(content)
    return bytes(content)


@pytest.mark.parametrize("portion", [4096, 1 << 20, 1 << 40])
def test_a_large_file(tmp_path: Path, portion: int) -> None:
    (tmp_path / "srv").mkdir()
    truth = os.urandom(10_000_000)
    (tmp_path / "srv" / "large").write_bytes(truth)
    with session(tmp_path) as running:
        opened = running.ask(OPEN, "large")
        assert opened.reply.form is LayerForm.FILLING
        assert read_all(running, len(truth), opened, portion) == truth
        assert running.ask(IDENTIFY, device=opened.reply.device, inode=opened.reply.inode).reply.form is LayerForm.WHOLE
        opened.close()

    assert round_trips(tmp_path) == 2


def test_files_of_unknown_size(tmp_path: Path) -> None:
    with session(tmp_path) as running:
        opened = ask(running.link, OPEN, b"/proc/%d/comm" % running.started.ready.target_pid)
        reply = opened.reply
        assert (reply.form, os.fstat(opened.fds[0]).st_size) == (LayerForm.REQUEST, 0)

        def read(offset: int) -> bytes:
            return running.ask(READ, device=reply.device, inode=reply.inode, offset=offset, length=100).payload

        assert (read(0), read(3), read(6)) == (b"sleep\n", b"ep\n", b"")
        opened.close()


def test_a_pipe_of_the_target(tmp_path: Path) -> None:
    (tmp_path / "srv").mkdir()
    os.mkfifo(tmp_path / "srv" / "fifo")
    with session(tmp_path) as running:
        opened = running.ask(OPEN, "fifo")
        assert opened.reply.form is LayerForm.STREAM
        with open(tmp_path / "srv" / "fifo", "wb", buffering=0) as sink:
            sink.write(b"through")
            assert os.read(opened.fds[0], 100) == b"through"
        assert os.read(opened.fds[0], 100) == b""
        opened.close()


def test_a_reader_that_leaves_a_stream(tmp_path: Path) -> None:
    """The target's end is closed then: its writer notices."""
    (tmp_path / "srv").mkdir()
    os.mkfifo(tmp_path / "srv" / "fifo")
    with session(tmp_path) as running:
        opened = running.ask(OPEN, "fifo")
        sink = os.open(tmp_path / "srv" / "fifo", os.O_WRONLY)
        os.write(sink, b"some")
        assert os.read(opened.fds[0], 100) == b"some"
        opened.close()

        with pytest.raises(BrokenPipeError):
            while True:
                os.write(sink, b"more")
        os.close(sink)


def test_a_watched_directory_is_seen_to_change(tmp_path: Path) -> None:
    """What the agent watches holds for longer than the time to live, and no longer than until it changes."""
    (tmp_path / "srv").mkdir()
    (tmp_path / "srv" / "file").write_bytes(b"one")
    with session(tmp_path, time_to_live=1e-9) as running:
        running.ask(LIST, ".").close()
        assert running.ask(OPEN, "file").content() == b"one"
        assert running.ask(STAT, "new").reply.errno == "ENOENT"
        (tmp_path / "srv" / "file").write_bytes(b"changed")
        (tmp_path / "srv" / "new").touch()

        while running.ask(STAT, "new").reply.errno:  # until the news has come
            pass
        assert running.ask(OPEN, "file").content() == b"changed"
