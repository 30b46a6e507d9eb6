"""Runs an agent as a container runtime would: with some capabilities only, as some user, among some processes.

Run as a program, by root: options, then `--`, then the agent's. It loads the agent before it becomes somebody who may have
no right to read it. It ends with the agent, and hands signals on to it.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys

import mirrord_agent.life.driver
import mirrord_agent.server
from agent_remote import CLONE_NEWNS, CLONE_NEWPID, MS_PRIVATE_ALL, PR_SET_DUMPABLE, PR_SET_PDEATHSIG, call
from mirrord_agent.__main__ import main as run_agent
from mirrord_agent.kernel import driver as kernel
from mirrord_agent.log import Log

CLONE_NEWCGROUP = 0x2000000


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--beside", type=int)
    parser.add_argument("--alone", action="store_true")
    parser.add_argument("--group")
    parser.add_argument("--capabilities", type=lambda text: int(text, 16))
    parser.add_argument("--user", type=int, nargs=2)
    parser.add_argument("agent", nargs="*")
    chosen = parser.parse_args()
    Log("info").load()
    mirrord_agent.server.load_names()
    if chosen.group:
        with open(f"{chosen.group}/cgroup.procs", "w", encoding="ascii") as file:
            file.write("0")
        call("unshare", CLONE_NEWCGROUP)
    if chosen.beside or chosen.alone:
        enter_processes(chosen.beside)
    if chosen.user:
        uid, gid = chosen.user
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
        call("prctl", PR_SET_DUMPABLE, 1, 0, 0, 0)  # as after exec
    if chosen.capabilities is not None:
        kernel.capset(chosen.capabilities)
    return run_agent(chosen.agent)


def enter_processes(pid: int | None) -> None:
    """Go on as a process among those of another, or of a new PID namespace, with a /proc that shows them."""
    if pid is None:
        call("unshare", CLONE_NEWPID)
    else:
        with open(f"/proc/{pid}/ns/pid", "rb") as file:
            call("setns", file.fileno(), CLONE_NEWPID)
    child = os.fork()
    if child:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, _: os.kill(child, number))
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) % 256)
    call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    call("unshare", CLONE_NEWNS)
    call("mount", b"none", b"/", None, MS_PRIVATE_ALL, None)
    call("mount", b"proc", b"/proc", b"proc", 0, None)


if __name__ == "__main__":
    sys.exit(main())
