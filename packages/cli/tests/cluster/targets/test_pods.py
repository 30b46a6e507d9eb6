"""Which of several pods is the target, and why one can't be."""

from __future__ import annotations

from typing import Any

import pytest

from cluster_objects import pod, status
from mirrord_cli.cluster.targets.containers import NoContainer
from mirrord_cli.cluster.targets.pods import (
    Unusable,
    choose_pod,
    is_pod_ready,
    newest,
    targets_of,
    why_not_ready,
    why_unusable,
)


def chosen(*pods: Any, container: str | None = None, newest: str = "") -> str:
    def is_newest(found: Any) -> bool:
        return not newest or found["metadata"]["name"].startswith(newest)

    name: str = choose_pod(pods, container, is_newest)["metadata"]["name"]
    return name


# ---------------------------------------------------------------------------------------------- which


def test_a_ready_one() -> None:
    assert chosen(pod("a", {"web": "running"}), pod("b", {"web": "CrashLoopBackOff"}), pod("c")) == "c"
    assert chosen(pod("a", {"web": "CrashLoopBackOff"}), pod("b", {"web": "running"})) == "b"


def test_a_ready_one_of_an_old_version_comes_before_one_of_the_newest_that_is_not() -> None:
    assert chosen(pod("old"), pod("new"), newest="new") == "new"
    assert chosen(pod("old"), pod("new", {"web": "running"}), newest="new") == "old"


def test_of_equals_the_one_that_does_best() -> None:
    restarted = pod("a", statuses=[status("web", restartCount=3)])

    assert chosen(restarted, pod("b")) == "b"
    assert chosen(pod("a", creationTimestamp="2026-01-02T00:00:00Z"), pod("b")) == "b"
    assert chosen(pod("b"), pod("a")) == "a"
    # The container is ready in both.
    assert chosen(pod("a", {"web": "ready", "log": "running"}), pod("b", {"web": "ready", "log": "ready"})) == "b"


def test_one_that_is_being_deleted_is_passed_over() -> None:
    assert chosen(pod("a", deletionTimestamp="2026-01-01T00:00:00Z"), pod("b", {"web": "running"})) == "b"


def test_one_that_has_the_container() -> None:
    assert chosen(pod("a"), pod("b", {"log": "ready"}), container="log") == "b"
    with pytest.raises(NoContainer, match="Pod a has no container log"):
        chosen(pod("a"), pod("b"), container="log")


def test_none() -> None:
    pods = [pod(f"p{number}", {"web": "CrashLoopBackOff"}) for number in range(5)]

    with pytest.raises(Unusable) as caught:
        chosen(*pods)
    assert caught.value.text.splitlines() == [
        "Pod p0: the container web isn't running: CrashLoopBackOff.",
        "Pod p1: the container web isn't running: CrashLoopBackOff.",
        "Pod p2: the container web isn't running: CrashLoopBackOff.",
        "So it is, or the like, with 2 more.",
    ]


# ---------------------------------------------------------------------------------------------- why not


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (pod(), None),
        (pod(containers={"web": "running"}), None),
        (pod(deletionTimestamp="x"), "Pod web-1 is being deleted."),
        (pod(spec={"os": {"name": "windows"}}), "Pod web-1 runs Windows, and an agent needs Linux."),
        (
            pod(spec={"nodeSelector": {"kubernetes.io/os": "windows"}}),
            "Pod web-1 runs Windows, and an agent needs Linux.",
        ),
        (pod(phase="Succeeded"), "Pod web-1 has ended (Succeeded)."),
        (pod(phase="Pending", statuses=[]), "Pod web-1 isn't running yet (Pending)."),
        (
            pod(containers={"web": "ErrImagePull"}, phase="Pending"),
            "Pod web-1: the container web isn't running: ErrImagePull.",
        ),
    ],
)
def test_why_one_cannot_be(found: Any, said: str | None) -> None:
    assert why_unusable(found, None) == said


def test_the_clusters_own_words() -> None:
    unscheduled = pod(phase="Pending", statuses=[])
    unscheduled["status"]["conditions"] = [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available."}
    ]
    assert why_unusable(unscheduled, None) == "Pod web-1 has no node: Unschedulable: 0/1 nodes are available."

    evicted = pod(phase="Failed")
    evicted["status"] |= {"reason": "Evicted", "message": "The node was low on memory."}
    assert why_unusable(evicted, None) == "Pod web-1 has ended (Evicted: The node was low on memory)."


def test_one_that_runs_and_is_not_ready() -> None:
    assert why_not_ready(pod(), "web") is None
    assert why_not_ready(pod(containers={"web": "running"}), "web") == (
        "The container web of pod web-1 runs, but isn't ready: its readiness probe doesn't succeed."
    )
    starting = pod(statuses=[status("web", "running", started=False)])
    assert "its startup probe hasn't succeeded yet" in (why_not_ready(starting, "web") or "")


# ---------------------------------------------------------------------------------------------- lists


def test_names() -> None:
    assert targets_of(pod()) == ["pod/web-1"]
    assert targets_of(pod(containers={"a": "ready", "istio-proxy": "ready"})) == ["pod/web-1"]
    assert targets_of(pod(containers={"a": "ready", "b": "ready"})) == [
        "pod/web-1/container/a",
        "pod/web-1/container/b",
    ]


def test_readiness_and_age() -> None:
    assert is_pod_ready(pod())
    assert not is_pod_ready(pod(containers={"a": "ready", "b": "running"}))
    assert not is_pod_ready({"metadata": {"name": "x"}, "spec": {}})
    late = pod("late", creationTimestamp="2026-01-02T00:00:00Z")
    assert newest([pod("a"), late, pod("b")]) is late
