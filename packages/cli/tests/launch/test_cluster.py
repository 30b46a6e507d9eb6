"""A session with a target in a cluster: what it is told, which agents are tried, and what is left when it comes to nothing.

The API server and what runs in the session are scripts; the fork, the kubeconfig and the requests are real.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from cluster_pods import pod
from mirrord_cli.cluster.objects import Json
from mirrord_cli.config.agent_keys import Agent
from mirrord_cli.config.keys import Config
from mirrord_cli.config.target import ClusterTarget
from mirrord_cli.errors import MirrordError
from mirrord_cli.launch import cluster, session
from mirrord_cli.launch.cluster import InCluster, start_in_cluster
from mirrord_cli.session import server as session_server
from mirrord_cli.session.framed import Reader
from mirrord_cli.session.instructions import Began, Instruction, Leave, Meet, Runs
from mirrord_cli.session.settings import EnvironmentRules, FileRules, PodTarget, Settings
from mirrord_cli.session.status import Failed, Message, Ready, Unmet, encode
from scripted_server import ApiServer, Asked, api_server, failure

JOBS = "/apis/batch/v1/namespaces/shop/jobs"
PODS = "/api/v1/namespaces/shop/pods"
TARGET = f"{PODS}/web-5d8"
PARTS = f"{TARGET}/ephemeralcontainers"
CREATING = {"waiting": {"reason": "ContainerCreating"}}
RUNNING = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
READY = Ready(environment=((b"A", b"1"),), target_name=b"shop", target_pid=7, socket_name=b"mirrord-x")
Script = Callable[[Instruction], Message | None]


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with api_server() as served:
        served.answer("GET", TARGET, (200, target_pod()))
        served.answer("POST", JOBS, lambda asked: (201, asked.body or {}))
        served.tell(PODS, "ADDED", pod(CREATING))  # so `Meet` is the last that is told
        served.refuse(
            "PATCH", PARTS, 403, 'pods "web-5d8" is forbidden: violates PodSecurity "baseline:latest": NET_ADMIN'
        )
        yield served


def target_pod() -> Json:
    """The target, in a pod that may be taken."""
    status = {"name": "web", "ready": True, "containerID": f"containerd://{'0f' * 32}", "state": RUNNING}
    return {
        "kind": "Pod",
        "metadata": {"name": "web-5d8", "namespace": "shop", "uid": "u"},
        "spec": {
            "nodeName": "node-7",
            "containers": [{"name": "web", "livenessProbe": {"httpGet": {"port": 8081}}}],
        },
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [status],
        },
    }


@pytest.fixture
def start(server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., InCluster]:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": server.url}}],
        "users": [{"name": "u", "user": {"token": "a secret"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
    }))  # fmt: skip
    log = tmp_path / "log"
    log.touch()
    settings = Settings(
        target=PodTarget(name="pod/web-5d8"),
        agent_command=("false",),
        files=FileRules(home=b"/h", working_directory=b"/w", temporary=b"/tmp", executable=b"/bin/true"),
        environment=EnvironmentRules(),
        library=b"/layer.so",
        log_path=os.fsencode(log),
        user_id=os.getuid(),
    )

    def begin(script: Script, mode: Any = "job", said: list[str] | None = None) -> InCluster:
        monkeypatch.setattr(session_server, "run", lambda _settings, _link, status: play(script, status, tmp_path))
        config = replace(Config(), kubeconfig=str(kubeconfig), agent=replace(Agent(), mode=mode))
        target = ClusterTarget(kind="pod", name="web-5d8", container=None)
        return start_in_cluster(settings, target, config, {}, (said if said is not None else []).append)

    return begin


def play(script: Script, status: int, folder: Path) -> None:
    """Be a session: note what is said, and answer as the script does, until the command line is gone."""
    reader: Reader[Instruction] = Reader(Instruction)
    with socket.socket(fileno=status) as end, (folder / "heard").open("a") as heard:
        while data := end.recv(1 << 16):
            for instruction in reader.feed(data):
                print(type(instruction).__name__, file=heard, flush=True)
                if (answer := script(instruction)) is None:
                    continue
                table = os.memfd_create("table")
                socket.send_fds(end, [encode(answer)], [table] if isinstance(answer, Ready) else [])


def heard(folder: Path) -> list[str]:
    return (folder / "heard").read_text().split()


def asked(server: ApiServer, *methods: str) -> list[Asked]:
    return [each for each in server.asked if each.method in methods]


def close(found: InCluster) -> None:
    os.close(found.started.link)
    os.close(found.started.table)


def test_a_job_is_met(start: Callable[..., InCluster], server: ApiServer, tmp_path: Path) -> None:
    said: list[str] = []
    found = start(lambda instruction: READY if isinstance(instruction, Meet) else None, said=said)

    assert found.started.ready == READY
    assert heard(tmp_path) == ["Began", "Meet"]
    assert (found.probes[0].port, "web-5d8" in found.place) == (8081, True)
    [created] = asked(server, "POST", "PATCH", "DELETE")
    assert created.body
    assert created.body["metadata"]["name"] in found.agent
    assert "a secret" not in json.dumps(created.body)
    assert said[:2] == ["reaching the cluster", "looking for pod/web-5d8 in namespace shop"]
    close(found)


def test_the_next_rung_is_tried(start: Callable[..., InCluster], server: ApiServer, tmp_path: Path) -> None:
    """The cluster doesn't admit an ephemeral container with NET_ADMIN: a Job is the agent, and the reason is told."""
    found = start(lambda instruction: READY if isinstance(instruction, Meet) else None, mode="auto")

    assert heard(tmp_path) == ["Began", "NotCreated", "Began", "Meet"]
    assert "Job mirrord-agent-" in found.agent
    assert any("PodSecurity" in warning for warning in found.warnings)
    close(found)


def test_an_agent_that_is_not_met(start: Callable[..., InCluster], server: ApiServer) -> None:
    refused = Unmet("you", "The agent can't serve pod/web-5d8. No permission.", "Choose another.")

    with pytest.raises(MirrordError) as caught:
        start(lambda instruction: refused if isinstance(instruction, Meet) else None)

    assert "No permission" in caught.value.text
    assert (caught.value.category, caught.value.next_step) == ("you", "Choose another.")
    [created, removed] = asked(server, "POST", "DELETE")
    assert created.body
    assert removed.path == f"{JOBS}/{created.body['metadata']['name']}"


def test_what_an_agent_said_when_it_ended(start: Callable[..., InCluster], server: ApiServer) -> None:
    ended = {"terminated": {"exitCode": 69, "message": "The agent can't listen on port 1.", "reason": "Error"}}
    server.answer("GET", f"{PODS}/mirrord-agent-abc-xyz12", (200, pod(ended)))
    refused = Unmet("us", "The agent failed before it answered.", "Look into the log.")

    with pytest.raises(MirrordError, match="It said: The agent can't listen on port 1"):
        start(lambda instruction: refused if isinstance(instruction, Meet) else None)


@pytest.mark.parametrize(
    ("unmet", "state"),
    [
        (Unmet("cluster", "The cluster doesn't let you connect to it.", "It takes a right.", unreached=True), RUNNING),
        (Unmet("configuration", "Too many variables.", "Leave some out."), {"terminated": {"exitCode": 0}}),
    ],
)
def test_what_no_other_agent_would_do_better(
    start: Callable[..., InCluster], server: ApiServer, tmp_path: Path, unmet: Unmet, state: Json
) -> None:
    server.answer("GET", f"{PODS}/mirrord-agent-abc-xyz12", (200, pod(state)))

    with pytest.raises(MirrordError) as caught:
        start(lambda instruction: unmet if isinstance(instruction, Meet) else None, mode="auto")

    assert (caught.value.text, caught.value.next_step) == (unmet.text, unmet.next_step)
    assert heard(tmp_path) == ["Began", "NotCreated", "Began", "Meet"], "one was refused, one was tried"
    assert len(asked(server, "DELETE")) == 1


def test_an_agent_that_ended_before_it_was_reached(
    start: Callable[..., InCluster], server: ApiServer, tmp_path: Path
) -> None:
    """It said why: another kind may do."""
    ended = {"terminated": {"exitCode": 69, "reason": "Error", "message": "The target can't be looked into."}}
    server.answer("GET", f"{PODS}/mirrord-agent-abc-xyz12", (200, pod(ended)))
    unmet = Unmet("cluster", "No port-forward to pod x: its sandbox is gone.", "Start anew.", unreached=True)

    with pytest.raises(
        MirrordError, match=r"a Job on the target's node: The agent ended .* The target can't be looked"
    ):
        start(lambda instruction: unmet if isinstance(instruction, Meet) else None, mode="auto")

    assert asked(server, "PATCH", "POST")[-1].method == "PATCH", "the ladder went on"


def test_an_agent_of_another_version(start: Callable[..., InCluster], server: ApiServer) -> None:
    """It ran for a moment, and what is to be done isn't about the way to it."""
    ended = {"terminated": {"exitCode": 2, "reason": "Error", "message": "error: unrecognized arguments: --listen"}}
    server.answer("GET", f"{PODS}/mirrord-agent-abc-xyz12", (200, pod(ended, phase="Failed")))
    unmet = Unmet("cluster", "You can't connect to pod x: pod not found.", "Is a VPN off?", unreached=True)

    with pytest.raises(MirrordError, match="unrecognized arguments") as caught:
        start(lambda instruction: unmet if isinstance(instruction, Meet) else None)

    assert "image of the same version" in caught.value.next_step
    assert len(asked(server, "DELETE")) == 1


@pytest.mark.parametrize("when", [Began, Meet, Runs, Leave])
def test_the_session_is_killed(
    start: Callable[..., InCluster], server: ApiServer, tmp_path: Path, when: type[Instruction]
) -> None:
    """Another one is told what was begun, and ends it."""

    def script(instruction: Instruction) -> None:
        if isinstance(instruction, when) and heard(tmp_path).count("Began") < 2:
            os._exit(9)

    server.told.clear()
    if when is Runs:
        server.tell(PODS, "ADDED", pod(RUNNING))
    elif when is not Began:  # where it is Began, it is noticed while the pod is waited for
        server.tell(PODS, "ADDED", pod(CREATING))
    if when is Leave:
        server.tell(PODS, "MODIFIED", pod({"waiting": {"reason": "ErrImagePull"}}))
    with pytest.raises(MirrordError) as caught:
        start(script)

    assert caught.value.category == ("configuration" if when is Leave else "us"), (
        "what the cluster says counts for more"
    )
    told = ["Began", "Meet", when.__name__] if when in {Runs, Leave} else ["Began", "Meet"][: 1 + (when is Meet)]
    while heard(tmp_path) != [*told, "Began"]:  # pytest's time-out bounds it
        os.sched_yield()


def test_the_session_is_gone_before_anything_was_begun(
    start: Callable[..., InCluster], server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No other one is started, which would look in vain for what is to be removed."""
    forked = list[Settings]()

    def fork(settings: Settings) -> session.Forked:
        forked.append(settings)
        monkeypatch.setattr(session_server, "run", die)
        return session.fork_session(settings)

    def when_gone(_asked: Asked) -> tuple[int, Json]:
        while not (tmp_path / "gone").exists() or not over(int((tmp_path / "gone").read_text())):
            os.sched_yield()
        return 200, target_pod()

    def die(_settings: Settings, _link: int, _status: int) -> None:
        (tmp_path / "pid").write_text(str(os.getpid()))
        (tmp_path / "pid").rename(tmp_path / "gone")
        os._exit(9)

    monkeypatch.setattr(cluster, "fork_session", fork)
    server.answer("GET", TARGET, when_gone)

    with pytest.raises(MirrordError, match="ended before it was ready"):
        start(lambda _instruction: None)

    assert len(forked) == 1
    assert asked(server, "POST") == []


def over(pid: int) -> bool:
    """Whether a process has ended, though perhaps nobody has noticed."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "XZ"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_a_session_that_can_not_be(start: Callable[..., InCluster], server: ApiServer, tmp_path: Path) -> None:
    """What it says itself is told, though it wasn't asked."""
    server.told.clear()

    def script(instruction: Instruction) -> Message | None:
        return Failed("you", "There is no room for the session's files.", "Make room.")

    with pytest.raises(MirrordError) as caught:
        start(script)

    assert (caught.value.category, caught.value.text) == ("you", "There is no room for the session's files.")
    assert len(asked(server, "DELETE")) == 1


def test_a_cluster_that_refuses(start: Callable[..., InCluster], server: ApiServer) -> None:
    server.answer(
        "POST", JOBS, (403, failure(403, 'jobs.batch is forbidden: User "u" cannot create resource', "Forbidden"))
    )

    with pytest.raises(MirrordError) as caught:
        start(lambda _instruction: None)

    assert "cannot create resource" in caught.value.text
    assert asked(server, "DELETE") == []
