"""What is said of an agent on its way, from what the cluster shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cluster_pods import IMAGE, NODE, event, pod, unplaced
from mirrord_cli.cluster.agents.spec import default_image
from mirrord_cli.cluster.agents.watching import ROOM, Failed, Running, State, Waiting, Watched, Watching, last_words
from mirrord_cli.cluster.objects import Json

RECORDED = json.loads(Path(__file__).with_name("recorded.json").read_text())
"""What a cluster (1.34) showed, less what doesn't matter; by what happened."""
NAME = "mirrord-agent-q1w2e3r4t5"
NO_ROOM = (
    "0/2 nodes are available: 1 Too many pods, 1 node(s) didn't satisfy plugin(s) [NodeAffinity]. preemption: 0/2 nodes"
    " are available: 2 Preemption is not helpful for scheduling."
)
MISSING = (
    'rpc error: code = NotFound desc = failed to pull and unpack image "registry.test/x:1": failed to resolve reference'
    ' "registry.test/x:1": registry.test/x:1: not found'
)


def job(**changes: Any) -> Watching:
    values = {"job": NAME, "pod": "", "container": "mirrord-agent", "image": IMAGE, "namespace": "shop", "node": NODE}
    return Watching(Watched(**values | changes))


def ephemeral() -> Watching:
    return job(job="", pod="web-5d8", container=NAME)


def text_of(state: State) -> str:
    assert isinstance(state, Waiting | Failed)
    return state.text


def failure(state: State) -> Failed:
    assert isinstance(state, Failed)
    assert state.text.endswith(".")
    assert state.next_step.endswith(".")
    return state


def test_the_way_of_a_job() -> None:
    watching = job()
    assert watching.state == Waiting("waiting for the agent's pod")

    seen = [
        watching.see_pod("ADDED", pod(node="")),
        watching.see_pod("MODIFIED", pod()),
        watching.see_pod("MODIFIED", pod({"waiting": {"reason": "ContainerCreating"}})),
        watching.see_events([event("Pulling", "Pulling image", warning=False, path="spec.containers{mirrord-agent}")]),
        watching.see_pod("MODIFIED", pod({"running": {"startedAt": "2026-01-01T00:00:00Z"}}, phase="Running")),
    ]

    assert seen == [
        Waiting(f"waiting for a place on node {NODE}"),
        Waiting(f"starting the agent on node {NODE}"),
        Waiting(f"starting the agent on node {NODE}"),
        Waiting(f"pulling the agent's image {IMAGE}"),
        Running(),
    ]
    assert watching.pod_uid == "33-44"


def test_the_way_of_an_ephemeral_container() -> None:
    watching = ephemeral()
    assert watching.state == Waiting("waiting for the node to take the agent")
    web: Any = {"name": "web-5d8", "ephemeral": True, "container": NAME}

    assert watching.see_pod("ADDED", pod(**web)) == Waiting(f"starting the agent on node {NODE}")
    # Another agent's container, of a session before.
    other = pod({"terminated": {"exitCode": 0}}, name="web-5d8", ephemeral=True, container="mirrord-agent-0000000000")
    assert watching.see_pod("MODIFIED", other) == Waiting(f"starting the agent on node {NODE}")
    assert watching.see_pod("MODIFIED", pod({"running": {}}, **web)) == Running()


def test_another_pod_of_the_targets_name() -> None:
    """A server may tell of the past first: of the pod that was there before the target took its name."""
    watching = job(job="", pod="web-5d8", container=NAME, uid="11-22")
    web: Any = {"name": "web-5d8", "ephemeral": True, "container": NAME}
    before = pod({"running": {}}, uid="00-99", phase="Failed", **web)

    assert watching.see_pod("ADDED", before) == Waiting("waiting for the node to take the agent")
    assert watching.see_pod("DELETED", before) == Waiting("waiting for the node to take the agent")
    assert watching.see_pod("MODIFIED", pod({"running": {}}, **web)) == Running()
    assert watching.pod_uid == "11-22"


@pytest.mark.parametrize(
    ("reason", "message", "said"),
    [
        ("ErrImagePull", MISSING, 'Failed to pull and unpack image "registry.test/x:1"'),
        ("ImagePullBackOff", 'Back-off pulling image "registry.test/x:1"', "Back-off pulling image"),
        ("ErrImageNeverPull", 'Container image "x:1" is not present with pull policy of Never', "not present"),
        ("InvalidImageName", "couldn't parse image name", "Couldn't parse image name"),
        ("SignatureValidationFailed", "", "SignatureValidationFailed"),
    ],
)
@pytest.mark.parametrize("watching", [job, ephemeral])
def test_images(watching: Any, reason: str, message: str, said: str) -> None:
    waiting = {"waiting": {"reason": reason, "message": message}}
    seen = pod(waiting) if watching is job else pod(waiting, ephemeral=True, container=NAME)
    failed = failure(watching().see_pod("MODIFIED", seen))

    assert said in failed.text
    assert IMAGE in failed.text
    assert "agent.image" in failed.next_step
    assert (failed.category, failed.refused) == ("configuration", False)


def test_the_image_that_nobody_named() -> None:
    watching = job(image=default_image())
    failed = failure(watching.see_pod("MODIFIED", pod({"waiting": {"reason": "ErrImagePull", "message": MISSING}})))

    assert "docs/image.md" in failed.next_step


@pytest.mark.parametrize(
    "state",
    [
        {"waiting": {"reason": "CreateContainerConfigError", "message": "container has runAsNonRoot and image will run as root"}},
        {"waiting": {"reason": "RunContainerError", "message": "container has runAsNonRoot and image will run as root"}},
        {"terminated": {"exitCode": 128, "reason": "StartError", "message": "container has runAsNonRoot and image will run as root"}},
    ],
)  # fmt: skip
def test_containers_that_a_node_does_not_start(state: Json) -> None:
    failed = failure(job().see_pod("MODIFIED", pod(state)))

    assert failed.text == (
        "The node doesn't start the agent's container: Container has runAsNonRoot and image will run as root."
    )
    assert failed.refused


@pytest.mark.parametrize(
    "message", ['Internal error occurred: failed calling webhook "a": EOF', "the object has been modified"]
)
def test_a_refusal_that_passes(message: str) -> None:
    """The Job's controller tries again; if nothing comes of that, it is what was heard last."""
    watching = job()

    assert isinstance(watching.see_events([event("FailedCreate", message, kind="Job")]), Waiting)
    assert message[1:] in watching.late(60).text


def test_where_an_agent_without_a_target_may_be() -> None:
    seen = event("FailedCreate", 'pods "x" is forbidden: exceeded quota: small', kind="Job")

    assert "agent.namespace" in failure(job().see_events([seen])).next_step
    assert failure(job(node="").see_events([seen])).next_step.endswith("admits it: -n.")


@pytest.mark.parametrize(
    ("code", "message", "said", "category", "refused"),
    [
        (69, "The target can't be looked into:\nits user isn't mine.\n", "be looked into: its user isn't mine.", "cluster", True),
        (2, "usage: mirrord-agent [-h]\nmirrord-agent: error: unrecognized arguments: --listen", "(exit code 2): Error: unrecog", "configuration", False),
        (70, '{"event": "a defect"}\nValueError: 3', "(exit code 70): ValueError: 3.", "us", False),
        (0, "", "without a word (exit code 0).", "cluster", False),
        (127, "sh: no such program", "Sh: no such program.", "cluster", False),
        (255, "exec /bin/mirrord-agent: exec format error", "exec format error.", "configuration", False),
        (137, "", "without a word (exit code 137).", "cluster", False),
    ],
)  # fmt: skip
def test_agents_that_end(code: int, message: str, said: str, category: str, refused: bool) -> None:
    ended = {"terminated": {"exitCode": code, "reason": "Error", "message": message}}
    failed = failure(job().see_pod("MODIFIED", pod(ended, phase="Failed")))

    assert said in failed.text
    assert (failed.category, failed.refused) == (category, refused)


@pytest.mark.parametrize(("watching", "step"), [(job, "agent.resources"), (ephemeral, "target's pod")])
def test_memory(watching: Any, step: str) -> None:
    ended = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    seen = pod(ended) if watching is job else pod(ended, ephemeral=True, container=NAME)

    assert step in failure(watching().see_pod("MODIFIED", seen)).next_step


def test_a_place_that_there_is_not_after_a_while() -> None:
    watching = job()
    waiting = watching.see_pod("ADDED", pod(node="", conditions=[unplaced(NO_ROOM)]))
    assert waiting == Waiting(f"waiting for a place on node {NODE}")
    assert watching.see_time(0.5) == waiting
    assert watching.see_time(0.4 + ROOM) == waiting

    failed = failure(watching.see_time(0.5 + ROOM))
    assert failed.text == (
        f"The agent's pod gets no place on node {NODE}: 0/2 nodes are available: 1 Too many pods, 1 node(s) didn't"
        " satisfy plugin(s) [NodeAffinity]."
    )
    assert failed.refused


def test_a_place_that_there_is_in_time() -> None:
    watching = job()
    watching.see_pod("ADDED", pod(node="", conditions=[unplaced(NO_ROOM)]))
    watching.see_time(0.5)
    watching.see_pod("MODIFIED", pod())

    assert watching.see_time(0.6 + ROOM) == Waiting(f"starting the agent on node {NODE}")


@pytest.mark.parametrize(
    ("changes", "status", "text"),
    [({"node": ""}, {}, "waiting for a node"), ({}, {"nominatedNodeName": NODE}, f"waiting for a place on node {NODE}")],
)  # fmt: skip
def test_places_that_are_waited_for(changes: Any, status: Json, text: str) -> None:
    """A cluster may grow for an agent that can be anywhere, and room is made for one that has priority."""
    watching = job(**changes)
    watching.see_pod("ADDED", pod(node="", conditions=[unplaced(NO_ROOM)], **status))
    watching.see_time(0.1)

    assert watching.see_time(0.2 + ROOM) == Waiting(text)
    assert "Too many pods" in watching.late(60).text


def test_a_pod_that_fails_as_a_whole() -> None:
    failed = failure(job().see_pod(
        "MODIFIED", pod(phase="Failed", reason="Evicted", message="The node was low on resource: memory.")
    ))  # fmt: skip

    assert failed.text == "The agent's pod failed (Evicted): The node was low on resource: memory."
    assert failed.refused
    assert "OutOfcpu" in failure(job().see_pod("MODIFIED", pod(phase="Failed", reason="OutOfcpu"))).text


def test_pods_that_go() -> None:
    assert "agent's pod mirrord-agent-abc-xyz12 was removed" in failure(job().see_pod("DELETED", pod())).text
    going = pod({"running": {}}, name="web-5d8", ephemeral=True, container=NAME)
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert "target's pod web-5d8 was removed" in failure(ephemeral().see_pod("MODIFIED", going)).text
    assert "target's pod has ended" in failure(ephemeral().see_pod("MODIFIED", pod(phase="Succeeded"))).text


def test_what_others_put_into_the_pod() -> None:
    first = {"name": "proxy-init", "started": False, "state": {"running": {}}}
    waiting = job().see_pod("MODIFIED", pod(initContainerStatuses=[first]))

    assert waiting == Waiting("waiting for the container proxy-init, which was added to the agent's pod")
    over = [{"name": "a", "started": False, "state": {"terminated": {}}}, {"name": "b", "started": True, "state": {}}]
    assert text_of(job().see_pod("MODIFIED", pod(initContainerStatuses=over))) == f"starting the agent on node {NODE}"


def test_a_job_whose_pod_is_refused() -> None:
    watching = job()
    message = 'Error creating: pods "mirrord-agent-abc-x" is forbidden: exceeded quota: small, requested: pods=1'
    failed = failure(watching.see_events([event("FailedCreate", message, kind="Job")]))

    assert failed.text == "Exceeded quota: small, requested: pods=1."
    assert failed.refused
    assert "quota" in failed.next_step


def test_events_count_in_their_order() -> None:
    watching = job()
    watching.see_pod("ADDED", pod())
    path = "spec.containers{mirrord-agent}"
    events = [event("Pulled", "", warning=False, path=path, at=5), event("Pulling", "", warning=False, path=path, at=1)]

    assert watching.see_events(events) == Waiting("starting the agent")


def test_events_of_others_do_not_count() -> None:
    watching = ephemeral()
    before = watching.state
    events = [
        event("Pulling", "", warning=False, path="spec.containers{web}"),
        event("Unhealthy", "Readiness probe failed", path="spec.containers{web}"),
        event("FailedMount", "of the target"),
        event("SuccessfulCreate", "Created pod", kind="Job", warning=False),
    ]

    assert watching.see_events(events) == before
    assert watching.late(60).text.endswith("the last that was seen: waiting for the node to take the agent.")


def test_events_after_the_end_do_not_count() -> None:
    watching = job()
    watching.see_pod("MODIFIED", pod({"running": {}}))

    assert watching.see_events([event("Pulling", "", path="spec.containers{mirrord-agent}")]) == Running()


def test_the_time_is_over() -> None:
    watching = job()
    watching.see_pod("ADDED", pod({"waiting": {"reason": "ContainerCreating"}}))
    watching.see_events([event("FailedCreatePodSandBox", "Failed to create pod sandbox: no addresses left")])
    failed = failure(watching.late(60.0))

    assert failed.text == (
        f"The agent didn't run within 60 s; the last that was seen: starting the agent on node {NODE}."
        " Failed to create pod sandbox: no addresses left."
    )
    assert "agent.startup_timeout" in failed.next_step
    assert not failed.refused


def test_without_the_right_to_see_events() -> None:
    watching = job()
    assert watching.wants_events(0.3)
    watching.see_no_events()

    assert not watching.wants_events(30)
    assert "no right to list them" in watching.late(60).text


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"terminated": {"exitCode": 70, "message": "{}\nValueError: 3\n"}}, "ValueError: 3."),
        ({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}, "It was killed for want of memory."),
        ({"terminated": {"exitCode": 0}}, ""),
        ({"running": {}}, None),
        (None, ""),
    ],
)
def test_last_words(state: Json | None, said: str | None) -> None:
    assert last_words(pod(state), "mirrord-agent") == said


@pytest.mark.parametrize(
    ("name", "said", "refused"),
    [
        ("a Job that runs", "", False),
        ("an ephemeral container that runs", "", False),
        (
            "an image that can't be pulled",
            "get the agent's image mirrord-agent:1.2.3: Failed to pull and unpack",
            False,
        ),
        ("an image that isn't there", "is not present with pull policy of Never.", False),
        ("an image of another version", "(exit code 2): Error: the following arguments are required", False),
        ("no room", f"no place on node {NODE}: 0/1 nodes are available: 1 Insufficient cpu.", True),
        ("a pod that the node rejects", "(AppArmor): Pod was rejected: Cannot enforce AppArmor", True),
        ("Pod Security", 'Violates PodSecurity "baseline:latest": non-default capabilities', True),
        ("a quota", "Exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1.", True),
        (
            "last words",
            "The target's files can't be opened: it is another user's, and the agent may not become it",
            True,
        ),
    ],
)
def test_what_a_cluster_showed(name: str, said: str, refused: bool) -> None:
    recorded = RECORDED[name]
    watching = job(container=recorded["container"], pod=recorded["pod"], job="" if recorded["pod"] else NAME)
    for kind, shown in recorded["seen"]:
        if kind == "EVENTS":
            watching.see_events(shown)
        else:
            watching.see_pod(kind, shown)
    watching.see_time(0)
    state = watching.see_time(ROOM)

    if not said:
        assert isinstance(state, Running)
    else:
        assert said in failure(state).text
        assert failure(state).refused is refused


def test_every_recording_is_used() -> None:
    [mark] = test_what_a_cluster_showed.pytestmark  # type: ignore[attr-defined] # pytest puts it there

    assert {case[0] for case in mark.args[1]} == set(RECORDED)


def test_when_events_are_asked_for() -> None:
    """Not where all goes well, soon where a Job has no pod, and less and less often."""
    watching = job()
    asked = [tenths / 10 for tenths in range(100) if watching.wants_events(tenths / 10)]
    assert asked == [0.2, 0.4, 0.8, 1.6, 3.2, 5.2, 7.2, 9.2]

    watching = job()
    watching.see_pod("ADDED", pod())
    asked = [tenths / 10 for tenths in range(60) if watching.wants_events(tenths / 10)]
    assert asked == [1.5, 3.0, 5.0]

    watching.see_pod("MODIFIED", pod({"running": {}}))
    assert not watching.wants_events(60)
