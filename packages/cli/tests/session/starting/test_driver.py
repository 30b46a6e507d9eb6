"""An agent's process: what it is given, and what starting it takes."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

from mirrord_cli.launch.target import find_target
from mirrord_cli.session.failed import SessionFailed
from mirrord_cli.session.starting.driver import StartedAgent, agent_environment, start_agent
from session_run import settings_for, target

PROGRAM = """
import json, os, sys
fd = int(sys.argv[sys.argv.index("--connected-fd") + 1])
os.write(fd, json.dumps([sys.argv[1:], sorted(os.listdir("/proc/self/fd"))]).encode())
os.read(fd, 1)
"""


def test_what_it_is_given(tmp_path: Path) -> None:
    with target() as pid:
        settings = settings_for(pid, tmp_path, agent_command=(sys.executable, "-c", PROGRAM))
        local = find_target(pid)
        agent = start_agent(settings, local)
        assert isinstance(agent, StartedAgent)
        arguments, descriptors = json.loads(agent.connection.recv(1 << 16))
        agent.connection.close()
        assert agent.process.wait(20) == 0

    given = dict(zip(arguments[::2], arguments[1::2], strict=True))
    assert given.pop("--connected-fd") in descriptors
    assert len(descriptors) == 5  # the fifth is that of the listing itself
    assert given == {
        "--target-pid": str(pid),
        "--target-start": str(local.start_time),
        "--token-digest": hashlib.sha256(agent.token).hexdigest(),
    }
    assert agent.token.hex() not in repr(agent)


def test_it_cannot_be_started(tmp_path: Path) -> None:
    with target() as pid:
        failed = start_agent(settings_for(pid, tmp_path, agent_command=("/no/such/agent",)), find_target(pid))

    assert isinstance(failed, SessionFailed)
    assert (failed.category, "/no/such/agent" in failed.text) == ("us", True)


def test_starting_it_needs_nothing_that_is_slow_to_load() -> None:
    program = "import sys, mirrord_cli.session.server; print(*{name.partition('.')[0] for name in sys.modules})"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert {"trio", "capnp", "structlog", "mirrord_protocol"}.isdisjoint(done.stdout.split())


def test_the_programs_modules_are_not_the_agents() -> None:
    environment = {"A": "1", "PYTHONPATH": ".:/code/lib"}

    assert agent_environment(environment, "/site/mirrord_cli/x.py") == {"A": "1"}
    assert agent_environment(environment, "/code/library/x.py") == {"A": "1"}
    assert agent_environment(environment, "/code/lib/mirrord_cli/x.py") == environment
    assert agent_environment({"A": "1"}, "/x.py") == {"A": "1"}
