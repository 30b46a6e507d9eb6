"""The agent's process: what it inherits, and what it is told."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import sys
from pathlib import Path

from mirrord_cli.session.spawning.driver import spawn
from session_run import settings_for

TELL = """
import json, os, socket, sys
connection = socket.socket(fileno=int(sys.argv[sys.argv.index("--connected-fd") + 1]))
connection.sendall(json.dumps({
    "arguments": sys.argv[1:],
    "input": os.readlink("/proc/self/fd/0"), "output": os.readlink("/proc/self/fd/1"),
}).encode())
"""


def test_what_it_gets(tmp_path: Path) -> None:
    settings = settings_for(os.getpid(), tmp_path, agent_command=(sys.executable, "-c", TELL))

    spawned = spawn(settings)
    with spawned.connection:
        told = b""
        while more := spawned.connection.recv(1 << 16):
            told += more
    assert os.waitpid(spawned.pid, 0)[1] == 0

    facts = json.loads(told)
    arguments = dict(zip(facts["arguments"][::2], facts["arguments"][1::2], strict=True))
    assert arguments["--target-pid"] == str(os.getpid())
    assert arguments["--target-start"] == str(settings.target.start_time)
    assert arguments["--token-digest"] == hashlib.sha256(spawned.token).hexdigest()
    assert spawned.token.hex() not in str(facts)
    assert (facts["input"], facts["output"]) == (os.devnull, os.devnull)


def test_what_cannot_be_started(tmp_path: Path) -> None:
    spawned = spawn(settings_for(os.getpid(), tmp_path, agent_command=("/no/such/agent",)))

    spawned.connection.close()
    assert spawned.error is not None
    assert spawned.error.errno == errno.ENOENT
