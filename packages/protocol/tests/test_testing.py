"""The test kit: playbooks that fail tell why, wires join ends byte by byte, the relay delays and doesn't throttle."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from mirrord_protocol.actions import Action, Answered, Asked, DataReceived, Greeted, Welcomed
from mirrord_protocol.agent_end import AgentEnd
from mirrord_protocol.session_end import SessionEnd
from mirrord_protocol.testing import Learnt, Playbook, Wire, open_paired
from mirrord_protocol.testing.__main__ import main
from mirrord_protocol.values import Hello, Read, Request, Stat, StatPath, Welcome
from protocol_samples import STAT, TARGET, TOKEN

HELLO = Hello(TOKEN)
WELCOME = Welcome(target=TARGET)

# ---------------------------------------------------------------------------------------------- playbook


def doubles(event: int) -> list[int]:
    return [event, event * 2] if event else []


def test_a_playbook_that_fits() -> None:
    Playbook(doubles).tell(1).expect(1, 2).tell(0).tell(5).expect(5, 10).run()


def test_a_playbook_that_does_not_shows_both_scripts() -> None:
    with pytest.raises(AssertionError) as caught:
        Playbook(doubles).tell(1).expect(1, 2).tell(3).expect(3, 7).tell(4).run()

    assert str(caught.value).splitlines()[1:] == [
        "--- expected", "+++ happened", "@@ -1,6 +1,6 @@",
        " >> 1", " << 1", " << 2", " >> 3", " << 3", "-<< 7", "+<< 6",
    ]  # fmt: skip


def test_a_value_learnt_on_the_way() -> None:
    learnt = Learnt()
    assert repr(learnt) == "anything"
    Playbook(doubles).tell(3).expect(3, learnt).run()  # type: ignore[arg-type]

    assert (learnt.value, repr(learnt)) == (6, "6")
    with pytest.raises(AssertionError):
        Playbook(doubles).tell(4).expect(4, learnt).run()  # type: ignore[arg-type]


# ---------------------------------------------------------------------------------------------- wire


@pytest.mark.parametrize("piece", [1, 7, 33, None])
def test_two_ends_joined_in_pieces(piece: int | None) -> None:
    session, agent = SessionEnd(0.0), AgentEnd(0.0)
    wire = Wire(session, agent, piece)

    def act(action: Action) -> None:
        match action:
            case Greeted():
                agent.accept(WELCOME)
            case Asked(id_, StatPath()):
                agent.answer(id_, STAT)
            case Asked(id_, Read(length=length)):
                agent.send(id_, b"z" * length, end=True)

    session.say_hello(HELLO)
    wire.run(act)
    session.ask(StatPath(b"/"))
    session.ask(Read(1, 0, 3))
    wire.run(act)

    assert wire.from_agent == [
        Welcomed(WELCOME),
        Answered(1, STAT, last=True),
        DataReceived(2, b"zzz", end=True, last=True),
    ]
    assert wire.from_session == [Greeted(HELLO), Asked(1, StatPath(b"/")), Asked(2, Read(1, 0, 3))]


# ---------------------------------------------------------------------------------------------- paired


class Service:
    async def welcome(self, hello: Hello) -> Welcome:
        del hello
        return WELCOME

    async def handle(self, request_id: int, request: Request, reply: object) -> None:
        assert isinstance(request, StatPath)
        reply.answer(STAT)  # type: ignore[attr-defined]

    def closed(self, request_id: int) -> None:
        pass


def test_a_client_joined_to_a_service() -> None:
    async def run() -> Stat:
        async with open_paired(Service()) as client:
            return await client.stat(b"/")

    assert trio.run(run) == STAT


def test_what_the_block_raises_comes_out_as_it_is() -> None:
    async def run() -> None:
        async with open_paired(Service()):
            raise KeyError("mine")

    with pytest.raises(KeyError):
        trio.run(run)


# ---------------------------------------------------------------------------------------------- relay

ECHO = """
import socket, sys
with socket.socket(fileno=int(sys.argv[-1])) as connected:
    while data := connected.recv(1 << 18):
        connected.sendall(data)
sys.exit(7)
"""


@pytest.fixture
def echo(tmp_path: Path) -> Path:
    path = tmp_path / "echo.py"
    path.write_text(ECHO)
    return path


def start(ours: socket.socket, theirs: socket.socket, delay: str, *command: object) -> subprocess.Popen[bytes]:
    del ours
    arguments = [sys.executable, "-m", "mirrord_protocol.testing", "relay", "--delay", delay, *map(str, command)]
    process = subprocess.Popen(arguments, pass_fds=[theirs.fileno()])
    theirs.close()
    return process


@pytest.mark.parametrize("style", ["own", "prefix"])
def test_the_relay_delays_each_way_and_ends_with_its_sides(echo: Path, style: str) -> None:
    ours, theirs = socket.socketpair()
    own = ["--connected-fd", theirs.fileno()] if style == "own" else []
    last = "{fd}" if style == "own" else theirs.fileno()
    with start(ours, theirs, "0.1", *own, "--", sys.executable, echo, "--connected-fd", last) as process:
        with ours:
            ours.sendall(b"first")
            assert ours.recv(100) == b"first"
            begin = time.monotonic()
            ours.sendall(b"second")
            assert ours.recv(100) == b"second"
            took = time.monotonic() - begin
        assert process.wait(60) == 7

    assert took >= 0.2


def test_the_relay_does_not_throttle(echo: Path) -> None:
    """Forty round trips' worth of windows in a few round trips' time: nothing waits for anything to come back."""
    ours, theirs = socket.socketpair()
    size, total = 1 << 18, 0
    with start(ours, theirs, "0.2", "--connected-fd", theirs.fileno(), "--", sys.executable, echo, "{fd}") as process:
        with ours:
            ours.settimeout(60)
            begin = time.monotonic()
            for _ in range(40):
                ours.sendall(bytes(size))
            ours.shutdown(socket.SHUT_WR)
            while data := ours.recv(1 << 18):
                total += len(data)
            took = time.monotonic() - begin
        assert process.wait(60) == 7

    assert total == 40 * size
    assert took < 40 * 0.4


def test_the_relay_ends_when_its_command_does(tmp_path: Path) -> None:
    script = tmp_path / "end.py"
    script.write_text("import sys; sys.exit(3)")
    ours, theirs = socket.socketpair()
    with start(ours, theirs, "0", "--connected-fd", theirs.fileno(), "--", sys.executable, script) as process:
        with ours:
            ours.settimeout(60)
            assert ours.recv(1) == b""
        assert process.wait(60) == 3


@pytest.fixture
def delayed_port() -> Iterator[tuple[int, socket.socket]]:
    """A port behind which a listener is, with a delay of 0.1 s each way."""
    command = [sys.executable, "-m", "mirrord_protocol.testing", "relay-to", "--delay", "0.1", "127.0.0.1"]
    with socket.create_server(("127.0.0.1", 0)) as server:
        command.append(str(server.getsockname()[1]))
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout
            yield int(process.stdout.readline()), server
            process.communicate()
        assert process.returncode == 0


def test_the_relay_before_an_address_delays_handshake_and_each_way(delayed_port: tuple[int, socket.socket]) -> None:
    port, server = delayed_port
    begin = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), 60) as client:
        client.sendall(b"question")
        with server.accept()[0] as peer:
            assert peer.recv(100) == b"question"
            heard = time.monotonic() - begin
            peer.sendall(b"answer")
            assert client.recv(100) == b"answer"
            answered = time.monotonic() - begin

    assert heard >= 0.3
    assert answered >= 0.4


def test_the_relay_before_an_address_carries_ends_one_by_one(delayed_port: tuple[int, socket.socket]) -> None:
    port, server = delayed_port
    with socket.create_connection(("127.0.0.1", port), 60) as client, server.accept()[0] as peer:
        client.shutdown(socket.SHUT_WR)
        assert peer.recv(100) == b""
        peer.sendall(b"still here")
        peer.close()
        assert client.recv(100) == b"still here"
        assert client.recv(100) == b""


def test_the_relay_before_an_address_that_refuses_closes(delayed_port: tuple[int, socket.socket]) -> None:
    port, server = delayed_port
    server.close()
    with socket.create_connection(("127.0.0.1", port), 60) as client:
        assert client.recv(100) == b""


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["relay", "--delay", "1", "--", "true"])

    assert caught.value.code == 2
    assert "--connected-fd" in capsys.readouterr().err
