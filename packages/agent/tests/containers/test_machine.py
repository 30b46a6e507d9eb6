"""Which process a container is, from what /proc shows: control groups as every runtime names them, and none at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mirrord_agent.containers.machine import Seen, first_process, main_process, named, within
from mirrord_agent.target.refusals import TargetRefused
from mirrord_protocol.values import FailureKind

ID = "3f" * 32
OTHER = "a0" * 32
POD = "pod4c5f2c6e-7d7d-4d0e-8a43-3a6a5f7f2a11"
V1 = f"""\
12:pids:/kubepods/besteffort/{POD}/{ID}
11:memory:/kubepods/besteffort/{POD}/{ID}
4:cpu,cpuacct:/kubepods/besteffort/{POD}/{ID}
1:name=systemd:/kubepods/besteffort/{POD}/{ID}
"""
SLICE = f"kubepods.slice/kubepods-burstable.slice/kubepods-burstable-{POD.replace('-', '_')}.slice"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(V1, id="v1 cgroupfs"),
        pytest.param(V1 + "0::/\n", id="hybrid, v1 only"),
        pytest.param(f"12:pids:/\n0::/kubepods/{POD}/{ID}\n", id="hybrid, v2 only"),
        pytest.param(f"0::/kubepods/besteffort/{POD}/{ID}\n", id="v2 cgroupfs"),
        pytest.param(f"11:memory:/{SLICE}/cri-containerd-{ID}.scope\n", id="v1 systemd containerd"),
        pytest.param(f"0::/{SLICE}/cri-containerd-{ID}.scope\n", id="v2 systemd containerd"),
        pytest.param(f"0::/{SLICE}/crio-{ID}.scope\n", id="v2 systemd cri-o"),
        pytest.param(f"0::/{SLICE}/crio-{ID}.scope/container\n", id="v2 systemd cri-o with crun"),
        pytest.param(f"0::/{SLICE}/docker-{ID}.scope\n", id="v2 systemd docker"),
        pytest.param(f"8:cpuset:/docker/{ID}\n", id="docker alone"),
        pytest.param(f"0::/../cri-containerd-{ID}.scope\n", id="v2 private, a sibling"),
        pytest.param(f"0::/../{ID}\n", id="v2 private, a sibling of cgroupfs"),
        pytest.param(f"0::/../../../kubepods-besteffort.slice/{POD}/{ID}\n", id="v2 private, from afar"),
        pytest.param(f"0::/../{ID}/init.scope\n", id="systemd in the container"),
        pytest.param(f"0::/system.slice/containerd.service/kubepods-{POD}.slice:cri-containerd:{ID}\n", id="mismatch"),
        pytest.param(f"0::/kubepods/{POD}/{ID} (deleted)\n", id="removed meanwhile"),
        pytest.param(f"0::/docker/{OTHER}/kubelet/kubepods/{POD}/{ID}\n", id="a node that is a container"),
    ],
)
def test_control_groups_of_a_container(text: str) -> None:
    assert within(text.encode(), ID.encode())
    assert named(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="hides"),
        pytest.param("0::/\n", id="namespace of its own"),
        pytest.param(f"0::/{SLICE}/crio-conmon-{ID}.scope\n", id="cri-o's monitor"),
        pytest.param(f"0::/machine.slice/libpod-conmon-{ID}.scope\n", id="podman's monitor"),
        pytest.param(f"0::/kubepods/{POD}/{OTHER}\n", id="another container"),
        pytest.param(f"0::/kubepods/{POD}\n", id="the pod's own"),
        pytest.param(f"0::/{ID}0\n", id="longer"),
        pytest.param(f"0::/0{ID}\n", id="longer before"),
        pytest.param(f"0::/{ID[:-1]}\n", id="shorter"),
    ],
)
def test_others_control_groups(text: str) -> None:
    assert not within(text.encode(), ID.encode())


def test_whether_any_container_is_named() -> None:
    assert named(f"0::/kubepods/{POD}/{OTHER}\n".encode())
    for text in (b"", b"0::/\n", b"0::/init.scope\n", f"0::/kubepods/{POD}\n".encode()):
        assert not named(text)


# ---------------------------------------------------------------------------------------------- the main process

MAIN = Seen(100, 90, 5000, b"web")


def test_the_main_process_has_its_parent_elsewhere() -> None:
    child = Seen(101, 100, 5001, b"worker")
    assert main_process([child, MAIN]) == MAIN
    assert main_process([]) is None


def test_processes_of_exec_came_later() -> None:
    shell = Seen(50, 90, 7000, b"sh")  # with a PID that was free again
    assert main_process([shell, Seen(102, 50, 7001, b"ls"), MAIN]) == MAIN
    assert main_process([replace(MAIN, pid=99), MAIN]) == replace(MAIN, pid=99)


# ---------------------------------------------------------------------------------------------- PID 1

TARGET = Seen(1, 0, 5000, b"web")
AGENT = Seen(40, 0, 9000, b"python3")


def first(*processes: Seen, own: int = AGENT.pid, first_named: bool = False) -> Seen:
    return first_process({seen.pid: seen for seen in processes}, own, first_named=first_named, container=ID)


def refusal(*processes: Seen, own: int = AGENT.pid, first_named: bool = False) -> FailureKind:
    with pytest.raises(TargetRefused) as caught:
        first(*processes, own=own, first_named=first_named)
    return caught.value.failure.kind


def test_the_first_process_is_the_targets_where_names_are_hidden() -> None:
    assert first(TARGET, AGENT) == TARGET


def test_our_own_is_not_the_targets() -> None:
    assert refusal(replace(AGENT, pid=1), own=1) == FailureKind.UNSUPPORTED
    assert refusal(AGENT) == FailureKind.UNSUPPORTED  # the others hide


def test_the_nodes_first_process_is_never_the_targets() -> None:
    shim = Seen(30, 1, 8000, b"containerd-shim")
    assert refusal(TARGET, shim, replace(AGENT, parent=30)) == FailureKind.GONE
    assert refusal(TARGET, replace(AGENT, parent=1)) == FailureKind.GONE


def test_a_first_process_of_another_container() -> None:
    assert refusal(TARGET, AGENT, first_named=True) == FailureKind.GONE


def test_what_holds_a_pods_namespaces_is_not_the_target() -> None:
    assert refusal(replace(TARGET, name=b"pause"), AGENT) == FailureKind.UNSUPPORTED


def test_a_circle_of_reused_numbers_ends() -> None:
    assert first(TARGET, replace(AGENT, parent=41), Seen(41, 40, 9001, b"x")) == TARGET
