"""Questions of layers, answered with real descriptors by a session with a real agent."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from mirrord_protocol.layer_values import LayerForm, LayerOperation
from session_layer import ask
from session_run import HERE, round_trips, session

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


FEW = """
import os, resource, sys
sys.path[:0] = sys.argv[1:2]
resource.setrlimit(resource.RLIMIT_NOFILE, (400, 400))
from pathlib import Path
from session_run import session
from mirrord_protocol.layer_values import LayerOperation as L
with session(Path(sys.argv[2])) as running:
    kept = [running.ask(L.OPEN, str(number)) for number in range(20)]
    for number in range(20, 150):
        running.ask(L.OPEN, str(number)).close()
        running.ask(L.ENTER, f'd{number}').close()
    assert len(os.listdir(f'/proc/{running.pid}/fd')) < 200
    for number, got in enumerate(kept):
        known = running.ask(L.IDENTIFY, device=got.reply.device, inode=got.reply.inode).reply
        assert known.stat == got.reply.stat, number
        assert os.read(got.fds[0], 10) == b'%d' % number
        got.close()
    for number in range(1000):
        gone = running.ask(L.IDENTIFY, device=kept[0].reply.device, inode=kept[0].reply.inode).reply
        if gone.form == 0:
            break
    assert gone.form == 0
"""


def test_few_descriptors(tmp_path: Path) -> None:
    """What programs hold is known for as long as they do, though the session lets go of its own descriptors."""
    for number in range(150):
        (tmp_path / "srv" / f"d{number}").mkdir(parents=True)
        (tmp_path / "srv" / str(number)).write_text(str(number))

    done = subprocess.run(
        [sys.executable, "-c", FEW, HERE, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
