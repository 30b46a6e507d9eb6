"""A session that is told what to meet: real agents behind a port-forward of the test's own, and Jobs that are removed."""

from __future__ import annotations

import hashlib
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import trio

from forward_server import CHANNELS, SPDY, Nobody, Port, forward_server
from mirrord_cli.session.access import Access
from mirrord_cli.session.clustered import driver
from mirrord_cli.session.clustered.driver import serve_in_cluster
from mirrord_cli.session.framed import Reader, frame
from mirrord_cli.session.instructions import Began, Instruction, Leave, Meet, NotCreated, Runs
from mirrord_cli.session.log import Log
from mirrord_cli.session.settings import EnvironmentRules, FileRules, PodTarget, Settings
from mirrord_cli.session.status import Message, Unmet
from mirrord_cli.session.telling.driver import Teller
from mirrord_protocol.client import Client
from scripted_server import ApiServer, api_server

SILENT = 8
TOKEN = bytes(range(32))
JOB = "/apis/batch/v1/namespaces/shop/jobs/mirrord-agent-1"
SETTINGS = Settings(
    target=PodTarget(name="pod/shop"),
    agent_command=(),
    files=FileRules(home=b"/h", working_directory=b"/w", temporary=b"/tmp", executable=b"/bin/true"),
    environment=EnvironmentRules(),
    library=b"/layer.so",
    user_id=0,
)


@contextmanager
def agent() -> Iterator[int]:
    """An agent that is its own target, on a port of the loopback, until its session has ended."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    digest = hashlib.sha256(TOKEN).hexdigest()
    command = [sys.executable, "-P", "-m", "mirrord_agent", "--listen", str(port), "--target-self"]
    process = subprocess.Popen([*command, "--token-digest", digest], stdout=subprocess.PIPE, env={"SHOP": "Pears"})
    with process:
        try:
            assert process.stdout and b"ready" in process.stdout.readline()
            yield port
            assert process.wait(20) == 0
        finally:
            process.kill()


def onward(port: int) -> Callable[[Port], None]:
    """What a pod's port does: pass all on to a port here."""

    def carry(end: Port) -> None:
        with socket.create_connection(("127.0.0.1", port)) as sock:

            def back() -> None:
                while data := sock.recv(1 << 16):
                    end.send(data)
                end.socket.close()

            thread = threading.Thread(target=back)
            thread.start()
            while data := end.receive():
                sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            thread.join()

    return carry


Before = dict[type[Instruction], threading.Event]


@dataclass
class Line:
    """The command line's end of the status socket."""

    socket: socket.socket

    def tell(self, *instructions: Instruction) -> None:
        for instruction in instructions:
            self.socket.sendall(frame(instruction))

    def hear(self) -> list[Message]:
        """What it has said by now."""
        self.socket.setblocking(False)
        try:
            return Reader[Message](Message).feed(self.socket.recv(1 << 16))
        except BlockingIOError:
            return []


def run(tmp_path: Path, *steps: list[Instruction], settings: Settings = SETTINGS, before: Before | None = None) -> Met:
    """Let a session hear what a command line tells it, which then is gone; what came of it.

    Args:
        tmp_path: For the log.
        steps: What is told; each after the answer to the one before, if that asked for one.
        settings: The session's.
        before: Instructions that are told only when something has happened.
    """
    met = Met()

    async def serve(client: Client) -> None:
        met.variables.append(dict(client.welcome.environment))

    async def command_line(line: Line) -> None:
        for step in steps:
            for instruction in step:
                if before and type(instruction) in before:
                    await trio.to_thread.run_sync(before[type(instruction)].wait, abandon_on_cancel=True)
                line.tell(instruction)
            if any(isinstance(each, Meet) for each in step):
                await trio.lowlevel.wait_readable(line.socket)
                met.said += line.hear()
        line.socket.shutdown(socket.SHUT_WR)

    async def inside() -> None:
        ours, its = socket.socketpair()
        log = Log(str(tmp_path / "log").encode())
        with ours, Teller(its.detach()) as teller, trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(command_line, Line(ours))
                await serve_in_cluster(settings, teller, log, serve)
                nursery.cancel_scope.cancel()
            met.said += Line(ours).hear()
        log.close()

    trio.run(inside)
    return met


@dataclass
class Met:
    """What came of a session."""

    variables: list[dict[bytes, bytes]] = field(default_factory=list)
    said: list[Message] = field(default_factory=list)


def began(server: str, port: int, *, job: str = "mirrord-agent-1", pod: str = "") -> Began:
    return Began(access=Access(server=server), namespace="shop", job=job, pod=pod, port=port, token=TOKEN)


@pytest.fixture
def cluster() -> Iterator[ApiServer]:
    with api_server() as server:
        server.answer("DELETE", JOB, (200, {}))
        yield server


def deletions(server: ApiServer) -> list[str]:
    return [asked.path for asked in server.asked if asked.method == "DELETE"]


MEET, RUNS = Meet(pod="mirrord-agent-1-x"), Runs(patience=10)


def test_it_is_met_and_dismissed(tmp_path: Path) -> None:
    with agent() as port, forward_server({port: onward(port)}) as server:
        met = run(tmp_path, [began(server.url, port, job="", pod="shop"), MEET])

    assert met.variables == [{b"SHOP": b"Pears"}]
    assert met.said == []
    assert [request.path.partition("?")[0] for request in server.asked] == [
        "/api/v1/namespaces/shop/pods/mirrord-agent-1-x/portforward"
    ]


@pytest.mark.parametrize("runs", [[], [RUNS]])
@pytest.mark.parametrize(("protocol", "asked"), [(SPDY, 1), (CHANNELS, 3)])
def test_it_listens_a_moment_later(tmp_path: Path, runs: list[Instruction], protocol: str, asked: int) -> None:
    """Whether the cluster has told by then that it runs, or not."""
    tried: list[int] = []
    with agent() as port:

        def late(end: Port) -> None:
            tried.append(1)
            if len(tried) < 3:
                raise Nobody
            onward(port)(end)

        with forward_server({port: late}, protocol=protocol) as server:
            heard = [began(server.url, port, job="", pod="shop"), MEET, *runs]
            assert run(tmp_path, heard).variables
    assert len(tried) == 3
    assert len(server.asked) == asked


def test_another_agent_is_met_after_one_that_failed(tmp_path: Path) -> None:
    with agent() as port, forward_server({port: onward(port), 7: lambda end: end.send(b"no agent's words")}) as server:
        first = began(server.url, 7, job="", pod="shop")
        met = run(tmp_path, [first, MEET, RUNS], [Leave(), began(server.url, port, job="", pod="shop"), MEET])

    assert len(met.variables) == 1
    [unmet] = met.said
    assert isinstance(unmet, Unmet)
    assert (unmet.category, "failed before it answered" in unmet.text) == ("us", True)


def test_a_wrong_token_is_said(tmp_path: Path) -> None:
    with agent() as port, forward_server({port: onward(port)}) as server:
        wrong = replace_token(began(server.url, port, job="", pod=""), b"x" * 32)
        met = run(tmp_path, [wrong, MEET], [began(server.url, port, job="", pod=""), MEET])

    assert isinstance(met.said[0], Unmet)
    assert "token" in met.said[0].text
    assert len(met.variables) == 1


def replace_token(began: Began, token: bytes) -> Began:
    return Began(
        access=began.access, namespace=began.namespace, job=began.job, pod=began.pod, port=began.port, token=token
    )


def test_nobody_listens(tmp_path: Path) -> None:
    with forward_server({}) as server:
        met = run(tmp_path, [began(server.url, 9, job="", pod=""), MEET, Runs(patience=0.05)])

    assert isinstance(met.said[0], Unmet)
    assert "doesn't listen on its port 9" in met.said[0].text


@pytest.mark.parametrize("port", [9, SILENT])
def test_it_is_left(tmp_path: Path, port: int) -> None:
    """While nobody listens, or somebody does who says nothing: it is answered at once, and another one may be met."""
    tried = threading.Event()

    def silent(end: Port) -> None:
        tried.set()
        end.receive()
        end.receive()

    def nobody(_end: Port) -> None:
        tried.set()
        raise Nobody

    with agent() as other, forward_server({9: nobody, SILENT: silent, other: onward(other)}) as server:
        met = run(
            tmp_path,
            [began(server.url, port, job="", pod=""), MEET, Leave()],
            [began(server.url, other, job="", pod=""), MEET],
            before={Leave: tried},
        )

    [unmet] = met.said
    assert isinstance(unmet, Unmet) and "waited for no more" in unmet.text
    assert len(met.variables) == 1


def test_the_news_that_it_runs_ends_a_pause(tmp_path: Path) -> None:
    """A failure that was borne with before counts from then on."""
    tried = threading.Event()

    def absent(end: Port) -> None:
        tried.set()
        end.fail(b"the pod's sandbox is gone")

    with forward_server({9: absent}, protocol=CHANNELS) as server:
        met = run(tmp_path, [began(server.url, 9, job="", pod=""), MEET, RUNS], before={Runs: tried})

    [unmet] = met.said
    assert isinstance(unmet, Unmet) and "the pod's sandbox is gone" in unmet.text
    assert unmet.unreached, "it says nothing of the agent"


def test_no_right(tmp_path: Path) -> None:
    """Nothing that comes later would change that."""
    with forward_server({}) as server:
        server.refusals = [(403, "you may not")]
        met = run(tmp_path, [began(server.url, 9, job="", pod=""), MEET])

    [unmet] = met.said
    assert isinstance(unmet, Unmet) and unmet.unreached and "you may not" in unmet.text


def test_a_pod_that_is_not_there_yet(tmp_path: Path) -> None:
    with agent() as port, forward_server({port: onward(port)}) as server:
        server.refusals = [(404, "pod does not exist"), (500, "pod not found"), (503, "starting")]
        assert run(tmp_path, [began(server.url, port, job="", pod=""), MEET]).variables


def test_the_command_line_goes_and_its_job_with_it(tmp_path: Path, cluster: ApiServer) -> None:
    assert run(tmp_path, [began(cluster.url, 9)]).said == []

    assert deletions(cluster) == [JOB]


def test_what_was_not_created_is_not_looked_for(tmp_path: Path, cluster: ApiServer) -> None:
    assert run(tmp_path, [began(cluster.url, 9), NotCreated()]).said == []

    assert cluster.asked == []


def test_an_agent_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody accepts, and says nothing: no attempt may take longer than an agent needs to load."""
    monkeypatch.setattr(driver, "PATIENCE", 0.2)

    def silent(end: Port) -> None:
        end.receive()
        end.receive()

    with forward_server({SILENT: silent}) as server:
        met = run(tmp_path, [began(server.url, SILENT, job="", pod=""), MEET, Runs(patience=0.5)])

    [unmet] = met.said
    assert isinstance(unmet, Unmet) and "doesn't listen on its port" in unmet.text


def test_a_job_that_comes_after_the_command_line_went(
    tmp_path: Path, cluster: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its creation was on the way: it is looked for twice."""
    monkeypatch.setattr(driver, "AGAIN", 0)
    answers = [404, 200]
    cluster.answer("DELETE", JOB, lambda _: (answers.pop(0), {"message": "not found"}))

    run(tmp_path, [began(cluster.url, 9)])

    assert deletions(cluster) == [JOB, JOB]


def test_an_ephemeral_agent_that_nobody_met_is_told_to_end(tmp_path: Path) -> None:
    with agent() as port, forward_server({port: onward(port)}) as server:
        run(tmp_path, [began(server.url, port, job="", pod="shop")])
        assert [request.path.split("/")[6] for request in server.asked] == ["shop"]


def test_nothing_was_begun(tmp_path: Path) -> None:
    assert run(tmp_path, []).said == []


def test_what_cannot_be_removed_is_logged(tmp_path: Path, cluster: ApiServer) -> None:
    cluster.refuse("DELETE", JOB, 403, "you may not")

    run(tmp_path, [began(cluster.url, 9)])

    [line] = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert (line["event"], "you may not" in line["reason"]) == ("agent not removed", True)


def test_too_many_names_of_variables(tmp_path: Path, cluster: ApiServer) -> None:
    settings = replace(SETTINGS, environment=EnvironmentRules(include=(b"A" * 100_000,)))

    met = run(tmp_path, [began(cluster.url, 9), MEET], settings=settings)

    assert isinstance(met.said[0], Unmet)
    assert met.said[0].category == "configuration"
