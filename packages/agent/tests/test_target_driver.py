"""Holding a target: what is known of it, whether it lives; rights are given up, so real agents tell (test_rights.py)."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import agent_kit
from agent_service import hold_folder
from mirrord_agent.target import driver
from mirrord_agent.target.refusals import Place, TargetRefused
from mirrord_protocol.values import FailureKind


def refused(pid: int, start: int) -> TargetRefused:
    with pytest.raises(TargetRefused) as caught:
        driver.hold(pid, start, place=Place.MACHINE, before_change=lambda: None)
    return caught.value


def test_a_process_that_ended() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    start = agent_kit.start_of(child.pid)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    zombie = refused(child.pid, start)
    child.wait()

    assert zombie.failure.kind == refused(child.pid, start).failure.kind == FailureKind.GONE


def test_a_reused_pid(target: agent_kit.Target) -> None:
    failure = refused(target.pid, target.start + 1).failure

    assert failure.kind == FailureKind.GONE
    assert "given to another" in failure.text


def test_life_and_death(own_target: agent_kit.Target) -> None:
    folder = f"/proc/{own_target.pid}"
    process = os.open(folder, os.O_RDONLY)
    held = hold_folder(agent_kit.HERE)
    ours = (held.process, held.death, held.memory, held.variables, held.root)
    its = driver.HeldTarget(
        **{name: getattr(held, name) for name in driver.HeldTarget.__slots__}
        | {
            "process": process,
            "death": os.pidfd_open(own_target.pid),
            "memory": os.open("statm", os.O_RDONLY, dir_fd=process),
            "variables": os.open("environ", os.O_RDONLY, dir_fd=process),
        }
    )
    assert driver.alive(held)
    assert driver.alive(its)
    own_target.kill()

    assert not driver.alive(its)
    with pytest.raises(ProcessLookupError):
        driver.environment(its)
    for fd in (*ours, its.process, its.death, its.memory, its.variables):
        os.close(fd)


def test_an_environment_larger_than_one_read() -> None:
    with agent_kit.start_target(environment={"BIG": "x" * 100_000, "LAST": "y"}) as target:
        process = os.open(f"/proc/{target.pid}", os.O_RDONLY)
        held = hold_folder(agent_kit.HERE)
        ours = (held.process, held.death, held.memory, held.variables, held.root)
        its = driver.HeldTarget(**{name: getattr(held, name) for name in held.__slots__} | {"process": process})
        data = driver.environment(its)
        for fd in (*ours, process):
            os.close(fd)

    assert b"BIG=" + b"x" * 100_000 + b"\0" in data
    assert b"LAST=y\0" in data
