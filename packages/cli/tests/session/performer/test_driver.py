"""Questions of layers, answered with real descriptors by a session with a real agent."""

from __future__ import annotations

import os
from pathlib import Path

from mirrord_protocol.values import LayerForm, LayerOperation
from session_layer import ask
from session_run import round_trips, session

OPEN, STAT, LIST, ENTER = LayerOperation.OPEN, LayerOperation.STAT, LayerOperation.LIST, LayerOperation.ENTER


def test_files(tmp_path: Path) -> None:
    srv = tmp_path / "srv"
    srv.mkdir()
    (srv / "small").write_bytes(b"small\n")
    (srv / "link").symlink_to("small")
    with session(tmp_path) as running:
        opened = running.ask(OPEN, "small")
        assert opened.reply.form is LayerForm.WHOLE
        truth = (srv / "small").stat()
        assert opened.reply.stat
        assert (opened.reply.stat.inode, opened.reply.stat.modified) == (truth.st_ino, truth.st_mtime_ns)
        again = running.ask(OPEN, "small")
        assert again.reply.inode == opened.reply.inode == os.fstat(again.fds[0]).st_ino
        assert (opened.content(), again.content()) == (b"small\n", b"small\n")
        assert running.ask(STAT, "nothing").reply.errno == "ENOENT"
        assert running.ask(LayerOperation.READLINK, "link").payload == b"small"
        assert running.ask(LayerOperation.REALPATH, "link").payload == os.fsencode(srv / "small")
        listing = running.ask(LIST, ".")
        assert listing.reply.form is LayerForm.DIRECTORY
        assert len(listing.fds) == 2
        listing.close()
        entered = running.ask(ENTER, ".")
        base = {"device": entered.reply.device, "inode": entered.reply.inode}
        assert ask(running.link, OPEN, b"small", **base).content() == b"small\n"
        assert ask(running.link, LayerOperation.FILE_SYSTEM, b"", **base).payload
        entered.close()


def test_round_trips(tmp_path: Path) -> None:
    (tmp_path / "srv" / "pack").mkdir(parents=True)
    for number in range(20):
        (tmp_path / "srv" / "pack" / f"{number}").write_text("x" * number)
    with session(tmp_path) as running:
        for _ in range(3):
            running.ask(LIST, "pack").close()
            for number in range(20):
                assert running.ask(STAT, f"pack/{number}").reply.stat
            assert running.ask(STAT, "pack/none").reply.errno == "ENOENT"
            running.ask(OPEN, "pack/7").close()

    assert round_trips(tmp_path) == 2
