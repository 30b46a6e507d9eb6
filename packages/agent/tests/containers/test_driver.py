"""Finding real processes in real control groups, also from another control group namespace."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

import pod_kit
from agent_kit import needs_root, start_of, start_target
from mirrord_agent.containers.driver import find_container, own_process
from mirrord_agent.target.refusals import TargetRefused
from mirrord_protocol.client import Client
from mirrord_protocol.values import FailureKind


def test_our_own() -> None:
    assert own_process() == (os.getpid(), start_of(os.getpid()))


def test_none_is_there() -> None:
    with pytest.raises(TargetRefused) as caught:
        find_container(secrets.token_hex(32))
    assert caught.value.failure.kind in {FailureKind.GONE, FailureKind.UNSUPPORTED}


@needs_root
def test_a_container() -> None:
    with start_target("--isolated") as target, pod_kit.container(target.pid) as (id_, _):
        assert find_container(id_) == (target.pid, target.start)


@needs_root
def test_what_was_started_beside_it_is_not_its_main_process() -> None:
    with start_target("--isolated") as target, pod_kit.container(target.pid) as (id_, pod):
        group = next(pod.glob(f"*{id_}*"))
        later = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        with later:
            (group / "cgroup.procs").write_text(str(later.pid))
            assert find_container(id_) == (target.pid, target.start)
            (pod.parent / "cgroup.procs").write_text(str(later.pid))
            assert later.stdin
            later.stdin.close()


@needs_root
def test_seen_from_another_control_group_namespace(tmp_path: Path) -> None:
    """As an ephemeral container sees the others of its pod where each has a namespace of its own: `/../…`."""

    async def block(client: Client) -> int:
        return client.welcome.target.pid

    with start_target("--isolated") as target, pod_kit.container(target.pid) as (id_, pod):
        ours = pod / "cri-containerd-ours.scope"
        ours.mkdir()
        options = ("--group", str(ours))
        target_option = ("--target-container", id_)
        with pod_kit.start_in_pod(tmp_path / "words", *target_option, container_options=options) as agent:
            assert agent.talk(block) == target.pid
