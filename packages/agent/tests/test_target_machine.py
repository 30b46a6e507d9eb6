"""Facts about a process, refusals for a person, and the steps from our rights to the target's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mirrord_agent.kernel.layouts import CAP_SETGID, CAP_SETUID, CAP_SYS_ADMIN, CAP_SYS_PTRACE, PF_EXITING, PF_KTHREAD
from mirrord_agent.target.machine import (
    FILE_CAPABILITIES,
    IDS_CAPABILITIES,
    NETWORK_CAPABILITIES,
    EnterHost,
    EnterNetwork,
    EnterUser,
    Keep,
    Process,
    Rights,
    Step,
    TakeIds,
    below,
    check_process,
    kept,
    parse_stat,
    parse_status,
    plan,
    sees_other_files,
    to_look,
)
from mirrord_agent.target.refusals import Place, TargetRefused
from mirrord_protocol.values import FailureKind

ALL = (1 << 41) - 1
ROOT = Rights(0, 0, frozenset(), ALL, ALL)
USER = Rights(1000, 1000, frozenset({1000, 27}))
OTHER = Rights(1001, 1001, frozenset())
STAT = b"7 (a (b) \n c) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 1 2"


def test_stat_with_an_odd_name() -> None:
    assert parse_stat(STAT) == Process(b"a (b) \n c", "S", 1, 4194560, 98765)


def test_status() -> None:
    status = (
        b"Name:\tx: y\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t9 10 \nNSpid:\t700\t7\n"
        b"CapInh:\t0000000000000000\nCapPrm:\t000000000000000f\nCapEff:\t0000000000000007\n"
    )

    assert parse_status(status) == (Rights(4, 8, frozenset({9, 10}), 7, 15), [700, 7])


def test_status_of_an_old_kernel_has_no_pids() -> None:
    status = b"Uid:\t1\t1\t1\t1\nGid:\t1\t1\t1\t1\nGroups:\t\nCapPrm:\t0\nCapEff:\t0\n"

    assert parse_status(status) == (Rights(1, 1, frozenset()), [])


@pytest.mark.parametrize(
    ("root", "text", "inside"),
    [
        (b"/", b"/a/b", b"/a/b"),
        (b"/jail", b"/jail/a", b"/a"),
        (b"/jail", b"/jail", b"/"),
        (b"/jail", b"/jailbird", None),
        (b"/jail", b"/", None),
    ],
)
def test_paths_as_the_target_sees_them(root: bytes, text: bytes, inside: bytes | None) -> None:
    assert below(root, text) == inside


# ---------------------------------------------------------------------------------------------- the process

RUNNING = Process(b"shop", "S", 1, 0, 5)


def test_the_process_that_was_meant() -> None:
    check_process(7, RUNNING, 5, Place.MACHINE)
    check_process(7, RUNNING, None, Place.POD)


@pytest.mark.parametrize(
    ("process", "kind", "word"),
    [
        (replace(RUNNING, start=6), FailureKind.GONE, "another"),
        (replace(RUNNING, flags=PF_KTHREAD), FailureKind.UNSUPPORTED, "kernel"),
        (replace(RUNNING, state="Z"), FailureKind.GONE, "ended"),
        (replace(RUNNING, state="X"), FailureKind.GONE, "ended"),
        (replace(RUNNING, flags=PF_EXITING), FailureKind.GONE, "ended"),
    ],
)
def test_a_process_that_cannot_be_a_target(process: Process, kind: FailureKind, word: str) -> None:
    with pytest.raises(TargetRefused) as caught:
        check_process(7, process, 5, Place.MACHINE)

    assert caught.value.failure.kind == kind
    assert caught.value.failure.errno is None
    assert "process 7 " in caught.value.failure.text
    assert word in caught.value.failure.text


@pytest.mark.parametrize("process", [replace(RUNNING, start=6), replace(RUNNING, state="Z")])
def test_in_a_pod_that_is_a_container_that_has_ended(process: Process) -> None:
    with pytest.raises(TargetRefused, match="container has just ended"):
        check_process(7, process, 5, Place.POD)


# ---------------------------------------------------------------------------------------------- rights


def steps(
    ours: Rights,
    its: Rights,
    *,
    user: bool = False,
    network: bool = False,
    host: bool = False,
    rules: bool = False,
    all_ids: bool = True,
) -> list[Step]:
    return plan(ours, its, other_user=user, other_network=network, other_host=host, rules=rules, sees_all_ids=all_ids)


def test_root_becomes_the_targets_user_and_keeps_nothing() -> None:
    assert steps(ROOT, USER) == [TakeIds(1000, 1000, frozenset({1000, 27})), Keep(0)]


def test_root_for_a_target_of_roots_keeps_what_files_need() -> None:
    assert steps(ROOT, ROOT) == [Keep(FILE_CAPABILITIES | 1 << CAP_SYS_PTRACE)]


def test_an_ordinary_user_for_an_own_process() -> None:
    assert steps(USER, USER) == [Keep(0)]


def test_groups_that_cannot_be_taken_are_no_obstacle() -> None:
    assert steps(USER, replace(USER, groups=frozenset())) == [Keep(0)]


def test_a_user_that_cannot_be_taken_is_one() -> None:
    with pytest.raises(TargetRefused, match="SETUID"):
        steps(USER, OTHER)
    with pytest.raises(TargetRefused, match="SETUID"):
        steps(replace(ROOT, effective=ALL & ~(1 << CAP_SETGID)), OTHER)


def test_a_target_that_hides_is_looked_at_as_its_equal() -> None:
    take = TakeIds(1000, 1000, frozenset({1000, 27}))
    may = replace(ROOT, effective=IDS_CAPABILITIES)
    assert to_look(may, USER) == take
    assert to_look(may, replace(USER, uid=0)) == replace(take, uid=0)  # the group has to be the same too
    assert to_look(may, replace(ROOT, groups=frozenset({1}))) is None
    for lacking in (CAP_SETUID, CAP_SETGID):
        assert to_look(replace(ROOT, effective=ALL & ~(1 << lacking)), USER) is None
    assert to_look(OTHER, USER) is None


def test_the_hostname_needs_a_right() -> None:
    assert steps(ROOT, ROOT, host=True)[0] == EnterHost()
    assert EnterHost() not in steps(USER, USER, host=True)
    assert EnterHost() not in steps(replace(ROOT, effective=ALL & ~(1 << CAP_SYS_ADMIN)), ROOT, host=True)


def test_the_hostname_is_looked_for_before_ids_are_taken() -> None:
    assert [type(step) for step in steps(ROOT, USER, host=True)] == [EnterHost, TakeIds, Keep]


def test_another_user_namespace_is_entered_before_anything_else_is_decided() -> None:
    assert steps(USER, ROOT, user=True, host=True) == [EnterUser()]
    assert steps(ROOT, ROOT, user=True) == [EnterUser()]


def test_ids_are_taken_outside_where_all_ids_are_seen() -> None:
    take = TakeIds(1000, 1000, frozenset({1000, 27}))
    assert steps(ROOT, USER, user=True) == [take, EnterUser()]
    assert steps(ROOT, USER, user=True, all_ids=False) == [EnterUser()]
    without = replace(ROOT, effective=ALL & ~(1 << CAP_SETUID))
    assert steps(without, USER, user=True) == [EnterUser()]


def test_the_network_is_entered_first_by_who_may_out_here() -> None:
    assert steps(ROOT, USER, user=True, network=True, host=True) == [EnterNetwork()]
    assert steps(USER, ROOT, user=True, network=True) == [EnterUser()]
    assert steps(USER, USER, network=True) == [Keep(0)]


def test_power_over_the_network_is_kept_where_it_is_of_use() -> None:
    assert steps(ROOT, USER, rules=True)[-1] == Keep(NETWORK_CAPABILITIES)
    assert steps(ROOT, USER)[-1] == Keep(0)
    assert steps(USER, USER, rules=True) == [Keep(0)]
    both = Rights(0, 0, frozenset(), NETWORK_CAPABILITIES, NETWORK_CAPABILITIES)
    assert kept(both, both) == 0


def test_never_more_than_the_target_has() -> None:
    some = Rights(0, 0, frozenset(), 0b1010, 0b1110)
    assert kept(ROOT, some) == 0b1110  # what it may use, so that the kernel shows us its links
    assert kept(replace(ROOT, permitted=0b0010), some) == 0b0010
    assert kept(ROOT, USER) == 0
    for its in (ROOT, some, USER):
        assert not kept(ROOT, its) & ~its.permitted


def test_modules_that_may_not_be_readable_afterwards() -> None:
    assert sees_other_files(ROOT, steps(ROOT, USER))
    assert sees_other_files(USER, steps(USER, ROOT, user=True))
    assert sees_other_files(ROOT, [Keep(0)])
    assert not sees_other_files(ROOT, steps(ROOT, ROOT))
    assert not sees_other_files(USER, steps(USER, USER))
