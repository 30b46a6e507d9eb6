"""What people are told of targets that can't be had: each text says which, why, and what would help."""

from __future__ import annotations

import pytest

from mirrord_agent.kernel.layouts import CAP_NET_ADMIN, CAP_SYS_ADMIN, CAP_SYS_PTRACE, CAPABILITY_NAMES
from mirrord_agent.target import refusals
from mirrord_agent.target.refusals import Place, capability_names
from mirrord_protocol.values import FailureKind

CONTAINER = "0123456789abcdef" * 4
ITSELF, MACHINE, POD = Place.ITSELF, Place.MACHINE, Place.POD


def test_capabilities_have_the_names_of_specifications() -> None:
    for number, name in ((CAP_NET_ADMIN, "NET_ADMIN"), (CAP_SYS_ADMIN, "SYS_ADMIN"), (CAP_SYS_PTRACE, "SYS_PTRACE")):
        assert CAPABILITY_NAMES[number] == name
    assert len(CAPABILITY_NAMES) == 41
    assert capability_names(0b1001 | 1 << 40 | 1 << 50) == ["CHOWN", "FOWNER", "CHECKPOINT_RESTORE", "50"]
    assert capability_names(0) == []


def test_a_process_of_this_machine() -> None:
    assert "new PID" in refusals.gone(7, MACHINE).failure.text
    assert "new PID" in refusals.ended(7, MACHINE).failure.text
    assert "another" in refusals.reused(7).failure.text
    assert "as root or as the same user" in refusals.forbidden(7, 0, 1000).failure.text
    assert "as root" in refusals.forbidden(7, 1000, 1000).failure.text
    for refusal in (refusals.gone(7, MACHINE), refusals.ended(7, MACHINE), refusals.reused(7)):
        assert refusal.failure.kind == FailureKind.GONE
        assert "process 7" in refusal.failure.text
    assert refusals.forbidden(7, 0, 1000).failure.kind == FailureKind.FORBIDDEN


def test_a_container() -> None:
    for refusal in (
        refusals.gone(7, POD),
        refusals.ended(7, POD),
        refusals.container_gone(CONTAINER),
        refusals.processes_apart(CONTAINER),
        refusals.containers_hidden(CONTAINER),
    ):
        assert "the target's container" in refusal.failure.text
        assert "process 7" not in refusal.failure.text
        assert CONTAINER not in refusal.failure.text  # in pods it is known by fewer digits
    assert "0123456789ab…" in refusals.container_gone(CONTAINER).failure.text
    for refusal in (refusals.processes_apart(CONTAINER), refusals.containers_hidden(CONTAINER)):
        assert refusal.failure.kind == FailureKind.UNSUPPORTED
        assert "agent.mode: job" in refusal.failure.text


@pytest.mark.parametrize(
    ("its", "ours", "missing", "why"),
    [
        ((1000, 1000), (0, 0), 0, "as user 1000 and group 1000, this agent as user 0 and group 0"),
        ((0, 1000), (0, 0), 0, "as user 0 and group 1000, this agent as user 0 and group 0"),
        ((0, 0), (0, 0), 1 << CAP_SYS_ADMIN | 1, "capabilities that this agent lacks (CHOWN, SYS_ADMIN)"),
        ((0, 0), (0, 0), 0b1011111101, "CHOWN, DAC_READ_SEARCH, FOWNER, FSETID, KILL and 3 more"),
        ((1000, 1000), (1000, 1000), 0, "AppArmor, SELinux"),
    ],
)
def test_a_container_that_hides(its: tuple[int, int], ours: tuple[int, int], missing: int, why: str) -> None:
    refusal = refusals.pod_forbidden(its, ours, missing)

    assert refusal.failure.kind == FailureKind.FORBIDDEN
    assert why in refusal.failure.text
    assert ("SYS_PTRACE" if its == ours else "SETUID") in refusal.failure.text


def test_machines_that_cannot_do_it() -> None:
    refusals.check_kernel(machine="x86_64", known_machine=True, openat2=True)
    with pytest.raises(refusals.TargetRefused, match="riscv64"):
        refusals.check_kernel(machine="riscv64", known_machine=False, openat2=False)
    with pytest.raises(refusals.TargetRefused, match=r"Linux 5\.6"):
        refusals.check_kernel(machine="x86_64", known_machine=True, openat2=False)


def test_a_network_out_of_reach_says_what_helps() -> None:
    network, rules = refusals.network_forbidden, refusals.rules_forbidden
    for failure in (
        network(7, 0, MACHINE),
        network(7, 1000, MACHINE),
        rules(7, 0, MACHINE, other_user=False),
        rules(7, 1000, MACHINE, other_user=False),
        rules(7, 1000, MACHINE, other_user=True),
    ):
        assert failure.kind == FailureKind.FORBIDDEN
        assert "process 7" in failure.text
    assert "run mirrord as root" in network(7, 1000, MACHINE).text
    assert "SYS_ADMIN" in network(7, 0, MACHINE).text
    assert "run mirrord as root" in rules(7, 1000, MACHINE, other_user=False).text
    assert "NET_ADMIN" in rules(7, 0, MACHINE, other_user=False).text
    assert "user namespace" in rules(7, 1000, MACHINE, other_user=True).text


def test_a_network_out_of_reach_in_a_pod() -> None:
    assert "SYS_ADMIN" in refusals.network_forbidden(7, 0, POD).text
    assert "NET_ADMIN" in refusals.rules_forbidden(7, 0, POD, other_user=False).text
    assert "user namespace" in refusals.rules_forbidden(7, 0, POD, other_user=True).text
    nobody = refusals.rules_forbidden(7, 0, ITSELF, other_user=False)
    assert (nobody.kind, "no target" in nobody.text) == (FailureKind.UNSUPPORTED, True)
