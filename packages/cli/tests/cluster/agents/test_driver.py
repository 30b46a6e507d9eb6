"""Agents are started as the cluster lets them, and removed where that comes to nothing."""

from __future__ import annotations

import re
import signal
import threading
from typing import Any

import pytest
from msgspec.structs import replace

from agent_starts import (
    EVENTS,
    FULL,
    JOB,
    JOBS,
    PARTS,
    PODS,
    RUNNING,
    SECURITY,
    TARGETLESS,
    TOKEN,
    Answer,
    Start,
    deletions,
    when_it_runs,
)
from cluster_pods import event, found, pod, unplaced
from cluster_rights import right_for
from mirrord_cli.cluster.agents import rights
from mirrord_cli.cluster.agents.driver import remove_agent
from mirrord_cli.cluster.agents.ladder import Rung
from mirrord_cli.cluster.agents.outcomes import RungRefused
from mirrord_cli.cluster.objects import Json
from mirrord_cli.cluster.targets.found import FoundTarget
from mirrord_cli.config.agent_keys import Agent
from mirrord_cli.config.keys import Config, Target
from mirrord_cli.environment.probes import Probe
from mirrord_cli.errors import MirrordError
from mirrord_cli.session.instructions import Began, Instruction, Meet
from mirrord_cli.session.status import Unmet
from scripted_server import ApiServer, Asked

# ---------------------------------------------------------------------------------------------- the good case


def test_a_job(start: Start, server: ApiServer) -> None:
    server.tell(PODS, "ADDED", pod(node=""))
    server.tell(PODS, "MODIFIED", pod({"waiting": {"reason": "ContainerCreating"}}))
    server.tell(PODS, "MODIFIED", pod(RUNNING))
    agent = start(JOB, found())

    created, watched = server.asked
    assert (created.method, created.path) == ("POST", JOBS)
    assert created.body
    name = created.body["metadata"]["name"]
    assert re.fullmatch(r"mirrord-agent-[a-z0-9]{10}", name)
    assert (watched.method, watched.path) == ("GET", PODS)
    assert watched.query["labelSelector"] == f"job-name={name}"
    assert (agent.namespace, agent.pod, agent.container, agent.job) == (
        "shop", "mirrord-agent-abc-xyz12", "mirrord-agent", name,
    )  # fmt: skip
    assert str(agent.port) in created.body["spec"]["template"]["spec"]["containers"][0]["args"]
    assert start.said == [
        "creating a Job on the target's node",
        "waiting for the agent's pod",
        "waiting for a place on node node-7",
        "starting the agent on node node-7",
        "connecting to the agent",
    ]
    assert name in agent.name


def test_an_ephemeral_container(start: Start, server: ApiServer) -> None:
    def patched(asked: Asked) -> tuple[int, Json]:
        assert asked.body
        [container] = asked.body["spec"]["ephemeralContainers"]
        now = pod(RUNNING, name="web-5d8", ephemeral=True, container=container["name"])
        server.tell(PODS, "MODIFIED", now)
        return 200, now

    server.answer("PATCH", PARTS, patched)
    agent = start(FULL, found(probes=(Probe(61001, "liveness"),)))

    created, watched = server.asked
    assert (created.method, created.path) == ("PATCH", PARTS)
    assert created.body and created.body["metadata"] == {"uid": "11-22"}, "no other pod of that name"
    assert watched.query["fieldSelector"] == "metadata.name=web-5d8"
    assert (agent.pod, agent.job) == ("web-5d8", "")
    assert agent.container in agent.name and "web-5d8" in agent.name
    remove_agent(start.api, agent)
    assert len(server.asked) == 2, "nothing can be removed"


@pytest.mark.parametrize(
    ("config", "target", "namespace"),
    [
        (Config(agent=Agent(namespace="agents")), found(), "agents"),
        (Config(target=Target(namespace="lab")), None, "lab"),
        (Config(agent=Agent(namespace="agents"), target=Target(namespace="lab")), None, "lab"),
        (Config(), None, "default"),
    ],
)
def test_where_jobs_are(
    start: Start, server: ApiServer, config: Config, target: FoundTarget | None, namespace: str
) -> None:
    server.answer("POST", JOBS.replace("shop", namespace), lambda asked: (201, asked.body or {}))
    server.tell(PODS.replace("shop", namespace), "ADDED", pod(RUNNING))

    assert start(JOB if target else TARGETLESS, target, config).namespace == namespace


def test_the_session_is_told_before_anything_is_asked_of_the_cluster(start: Start, server: ApiServer) -> None:
    server.tell(PODS, "ADDED", pod(RUNNING))
    asked_before = list[int]()

    def count(instruction: Instruction) -> Answer | None:
        asked_before.append(len(server.asked))
        return when_it_runs(instruction)

    start.session.script = count
    agent = start(JOB, found())

    assert start.told == ["Began", "Meet", "Runs"]
    assert start.began == Began(access=start.api.access, namespace="shop", job=agent.job, port=agent.port, token=TOKEN)
    assert asked_before[0] == 0


def test_the_session_is_told_of_an_ephemeral_agents_pod(start: Start, server: ApiServer) -> None:
    server.refuse("PATCH", PARTS, 403, SECURITY)
    with pytest.raises(RungRefused):
        start(FULL, found())

    assert start.told == ["Began", "NotCreated"]
    assert (start.began.pod, start.began.job, start.began.namespace) == ("web-5d8", "", "shop")


def test_the_token_goes_to_nobody_but_the_session(start: Start, server: ApiServer) -> None:
    server.tell(PODS, "ADDED", pod(RUNNING))
    start(JOB, found())

    assert TOKEN.hex() not in repr(server.asked)


def test_a_warning_goes_with_the_agent(start: Start, server: ApiServer) -> None:
    server.tell(PODS, "ADDED", pod(RUNNING))

    assert start(replace(JOB, warning="Beware."), found()).warning == "Beware."


# ---------------------------------------------------------------------------------------------- refusals


def test_a_rung_that_is_known_to_be_refused(start: Start, server: ApiServer) -> None:
    with pytest.raises(RungRefused, match="Not this one") as caught:
        start(replace(FULL, refused="Not this one.", next_step="Another."), found())

    assert caught.value.refusal.next_step == "Another."
    assert server.asked == [] and start.told == []


@pytest.mark.parametrize(
    ("rung", "method", "path"), [(JOB, "POST", JOBS), (FULL, "PATCH", PARTS), (TARGETLESS, "POST", JOBS)]
)
@pytest.mark.parametrize(
    ("status", "message", "word", "step"),
    [
        (403, SECURITY, "Violates PodSecurity", "name a namespace that admits it"),
        (400, 'admission webhook "k.svc" denied the request: policy x: no', "policy x: no", "exception"),
        (403, 'x is forbidden: User "dev" cannot create resource "jobs" in API', "cannot create", "mirrord rbac -n shop"),
        (404, "the server could not find the requested resource", "could not find", "recent"),
        (422, 'Job.batch "x" is invalid: spec.tolerations: no', "is invalid", "configuration"),
    ],
)  # fmt: skip
def test_what_the_api_server_refuses(
    start: Start, server: ApiServer, rung: Rung, method: str, path: str, status: int, message: str, word: str, step: str
) -> None:
    server.refuse(method, path, status, message)
    config = Config(target=Target(namespace="shop"))
    with pytest.raises(RungRefused) as caught:
        start(rung, None if rung == TARGETLESS else found(), config)

    refusal = caught.value.refusal
    assert refusal.rung == rung
    assert word in refusal.text and step in refusal.next_step
    assert deletions(server) == []


def test_a_pod_that_is_refused_later(start: Start, server: ApiServer) -> None:
    """A Job is created, and what it would start isn't: only its events tell."""
    message = 'Error creating: pods "mirrord-agent-abc-x" is forbidden: exceeded quota: small, requested: pods=1'
    server.answer("GET", EVENTS, (200, {"items": [event("FailedCreate", message, kind="Job")]}))
    with pytest.raises(RungRefused, match="Exceeded quota: small") as caught:
        start(JOB, found())

    assert caught.value.refusal.rung == JOB
    looked = server.wait_asked("GET", EVENTS)
    assert looked.query["fieldSelector"] == f"involvedObject.name={start.began.job}"


def test_an_agent_that_has_no_use_here(start: Start, server: ApiServer) -> None:
    ended = {"terminated": {"exitCode": 69, "reason": "Error", "message": "The target's files can't be read."}}
    server.tell(PODS, "ADDED", pod(ended, phase="Failed"))

    with pytest.raises(RungRefused, match="files can't be read"):
        start(JOB, found())


def test_an_image_that_there_is_not(start: Start, server: ApiServer) -> None:
    server.tell(PODS, "ADDED", pod({"waiting": {"reason": "ErrImagePull", "message": "not found"}}))
    with pytest.raises(MirrordError, match=r"image registry\.test/a:1: Not found") as caught:
        start(JOB, found(), Config(agent=Agent(image="registry.test/a:1")))

    assert caught.value.category == "configuration"


def test_no_right_to_watch(start: Start, server: ApiServer) -> None:
    server.refuse("GET", PODS, 403, 'pods is forbidden: User "dev" cannot watch resource "pods" in API group ""')

    with pytest.raises(RungRefused, match="cannot watch"):
        start(JOB, found())


def test_no_right_to_see_events(start: Start, server: ApiServer) -> None:
    server.refuse("GET", EVENTS, 403, 'events is forbidden: User "dev" cannot list resource "events" in API group ""')
    with pytest.raises(MirrordError, match="no right to list them"):
        start(JOB, found(), Config(agent=Agent(startup_timeout=1)))

    assert server.methods().count(f"GET {EVENTS}") == 1


def test_a_server_in_trouble(start: Start, server: ApiServer) -> None:
    server.refuse("GET", PODS, 406, "this is no watch", "NotAcceptable")

    with pytest.raises(MirrordError, match="This is no watch"):
        start(JOB, found())


# ---------------------------------------------------------------------------------------------- leaving nothing


def test_what_came_to_nothing_is_removed(start: Start, server: ApiServer) -> None:
    server.tell(PODS, "ADDED", pod({"waiting": {"reason": "ErrImagePull", "message": "not found"}}))
    with pytest.raises(MirrordError):
        start(JOB, found())

    [deleted] = deletions(server)
    assert deleted.path == f"{JOBS}/{start.began.job}"
    assert deleted.query == {"propagationPolicy": "Background"}


def test_a_session_that_takes_nothing(start: Start, server: ApiServer) -> None:
    start.session.takes_more = False
    with pytest.raises(MirrordError, match="The session ended"):
        start(JOB, found())

    assert server.asked == []


def test_ctrl_c(start: Start, server: ApiServer) -> None:
    server.tell(PODS, "ADDED", pod())

    def press() -> None:
        server.wait_asked("GET", PODS)
        signal.pthread_kill(main, signal.SIGINT)

    main = threading.get_ident()
    pressing = threading.Thread(target=press)
    pressing.start()
    with pytest.raises(KeyboardInterrupt):
        start(JOB, found())
    pressing.join()

    assert len(deletions(server)) == 1


def test_too_late(start: Start, server: ApiServer) -> None:
    server.tell(PODS, "ADDED", pod(node="", conditions=[unplaced("0/3 nodes are available: 3 Insufficient cpu.")]))
    config = Config(agent=Agent(startup_timeout=1), target=Target(namespace="shop"))
    with pytest.raises(MirrordError, match=r"within 1 s.*waiting for a node.*Insufficient cpu"):
        start(TARGETLESS, None, config)

    assert len(deletions(server)) == 1


def test_removing(start: Start, server: ApiServer) -> None:
    server.tell(PODS, "ADDED", pod(RUNNING))
    agent = start(JOB, found())
    remove_agent(start.api, agent)  # the script has no such Job: whoever is first is right

    assert [asked.path for asked in deletions(server)] == [f"{JOBS}/{agent.job}"]


# ---------------------------------------------------------------------------------------------- rights


BY_THE_SESSION = {("", "pods/portforward", "get"), ("", "pods/portforward", "create")}


@pytest.mark.parametrize(("rung", "wanted"), [(JOB, rights.JOB), (FULL, rights.EPHEMERAL)])
def test_the_rights_are_what_is_asked_for(start: Start, server: ApiServer, rung: Rung, wanted: Any) -> None:
    """Whatever a start, a failure and the end ask of the API server, and nothing else, is what `mirrord rbac` prints."""

    def look(_: Asked) -> tuple[int, Json]:
        server.tell(PODS, "DELETED", pod(name=seen, ephemeral=rung == FULL))
        return 200, {"items": []}

    seen = "web-5d8" if rung == FULL else "mirrord-agent-abc-xyz12"
    server.answer("GET", EVENTS, look)
    if rung == FULL:
        server.tell(PODS, "ADDED", pod(name=seen, ephemeral=True))
    with pytest.raises(MirrordError, match="removed"):
        start(rung, found())
    unmet = Unmet("cluster", "You can't connect to it.", "Is a VPN off?", unreached=True)
    start.session.script = lambda instruction: unmet if isinstance(instruction, Meet) else None
    server.told.clear()
    server.tell(PODS, "ADDED", pod(name=seen, ephemeral=rung == FULL))
    with pytest.raises(MirrordError, match="You can't connect"):
        start(rung, found())

    granted = {(right.group, right.resource, each) for right in (*wanted, *rights.ANY) for each in right.verbs}
    assert {
        right_for(asked.method, asked.path, watch="watch" in asked.query) for asked in server.asked
    } == granted - BY_THE_SESSION
