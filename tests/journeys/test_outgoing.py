"""Connections and datagrams leave from the target's network; each program's own words are compared with the target's truth."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.kit.around import DOWNLOAD, Around
from tests.kit.network import PEER, PEER6, TARGET
from tests.kit.run import PYTHON, Runner
from tests.kit.services import Handler, Services

pytestmark = pytest.mark.journey
PROGRAMS = Path(__file__).parent / "programs"
CONNECT = """
import socket, sys
for where in sys.argv[1:]:
    host, _, port = where.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=10) as sock:
            print(where, sock.getpeername()[0], flush=True)
    except OSError as error:
        print(where, type(error).__name__, flush=True)
"""


def same(runner: Runner, around: Around, *command: str) -> list[str]:
    """Run a program under mirrord, see that it prints what it prints in the target's network, and return that."""
    truth = runner.run(around.target.command(*command, names=True))
    assert (truth.stderr, truth.returncode) == ("", 0)

    seen = runner.exec(around.target, *command)

    assert (seen.stderr, seen.returncode) == ("", 0)
    assert seen.stdout.splitlines() == truth.stdout.splitlines()
    return seen.stdout.splitlines()


def configured(runner: Runner, around: Around, network: dict[str, Any], *command: str) -> str:
    """What a program prints under a configuration."""
    config = runner.folder / "mirrord.json"
    config.write_text(json.dumps({"feature": {"network": network}}))
    done = runner.exec(around.target, *command, options=("-q", "-f", str(config)))
    assert done.stderr == ""
    return done.stdout


def connected(runner: Runner, around: Around, network: dict[str, Any], *where: str) -> list[str]:
    """How connections to `host:port` go under a configuration."""
    return [line.split()[1] for line in configured(runner, around, network, PYTHON, "-c", CONNECT, *where).splitlines()]


def test_python(runner: Runner, around: Around) -> None:
    assert len(same(runner, around, PYTHON, str(PROGRAMS / "outgoing.py"))) == 50


def test_c(runner: Runner, around: Around, compile_c: Callable[..., str]) -> None:
    same(runner, around, compile_c("outgoing.c", "gcc", "-D_GNU_SOURCE", "-pthread"))


def test_c_fortified(runner: Runner, around: Around, compile_c: Callable[..., str]) -> None:
    same(runner, around, compile_c("outgoing.c", "gcc", "-D_GNU_SOURCE", "-pthread", "-O2", "-D_FORTIFY_SOURCE=2"))


def test_node(runner: Runner, around: Around, require: Callable[[str], str]) -> None:
    same(runner, around, require("node"), runner.copy(PROGRAMS / "outgoing.js"))


def test_java(runner: Runner, around: Around, require: Callable[[str], str]) -> None:
    subprocess.run([require("javac"), "-d", str(runner.folder), str(PROGRAMS / "Outgoing.java")], check=True)

    same(runner, around, require("java"), "-Xshare:auto", "-cp", str(runner.folder), "Outgoing")


@pytest.mark.parametrize(
    "url", ["http://db.shop.test:8080/a", f"http://{PEER}/b", f"http://[{PEER6}]:8080/c", "http://localhost/d"]
)
def test_curl(runner: Runner, around: Around, require: Callable[[str], str], url: str) -> None:
    form = ["-w", "%{local_ip} %{remote_ip} %{remote_port}\n"]

    lines = same(runner, around, require("curl"), "-sS", "--max-time", "20", *form, url)

    assert lines[0].startswith("target" if "localhost" in url else "peer")


def test_curl_uploads(runner: Runner, around: Around, require: Callable[[str], str]) -> None:
    (runner.folder / "body").write_bytes(b"x" * 1_000_000)

    lines = same(runner, around, require("curl"), "-sS", "--data-binary", "@body", "http://four.shop.test:8080/up")

    assert lines == [f"peer, to {TARGET}, /up, 1000000 bytes"]


def test_bash(runner: Runner, around: Around) -> None:
    script = f"exec 3<>/dev/tcp/{PEER}/7; echo hello >&3; read -r line <&3; echo $line; exec 4<>/dev/udp/{PEER}/7; echo -n more >&4; head -c 10 <&4; exec 5<>/dev/tcp/{PEER}/1 || echo refused"

    seen = runner.exec(around.target, "bash", "-c", script)

    assert seen.stdout == "hello\nfirst more" + "refused\n"
    assert "Connection refused" in seen.stderr


def test_redis_client(runner: Runner, own_around: Around, require: Callable[[str], str]) -> None:
    """A database that listens on the target's loopback alone."""

    async def redis(stream: Any) -> None:
        async for data in stream:
            await stream.send_all(b"$9\r\nremote ok\r\n" if b"GET" in data.upper() else b"-ERR unknown\r\n")

    own_around.services.serve(own_around.target.inside.listen(("127.0.0.1", 6380)), redis)

    seen = runner.exec(own_around.target, require("redis-cli"), "-p", "6380", "GET", "greeting")

    assert (seen.stdout, seen.stderr) == ("remote ok\n", "")


def test_git_over_http(runner: Runner, own_around: Around, require: Callable[[str], str]) -> None:
    """A clone from a server that only the target reaches (the dumb protocol: static files)."""
    git = require("git")
    repository = runner.folder / "repository.git"
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    work = runner.folder / "work"
    work.mkdir()
    (work / "one.txt").write_text("one\n")
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([git, *identity, "-C", str(work), *arguments], check=True)
    subprocess.run([git, "clone", "-q", "--bare", str(work), str(repository)], check=True)
    subprocess.run([git, "-C", str(repository), "update-server-info"], check=True)

    async def files(stream: Any) -> None:
        head = b""
        while True:
            while b"\r\n\r\n" not in head:
                data = await stream.receive_some()
                if not data:
                    return
                head += data
            path = head.split()[1].partition(b"?")[0].decode().removeprefix("/repository.git/")
            head = head.partition(b"\r\n\r\n")[2]
            file = repository / path
            status, body = (b"200 OK", file.read_bytes()) if file.is_file() else (b"404 Not Found", b"")
            await stream.send_all(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body)

    own_around.services.serve(own_around.target.peer.listen((PEER, 8000)), files)
    config = runner.folder / "mirrord.json"
    config.write_text('{"skip_build_tools": false}')

    seen = runner.exec(
        own_around.target, git, "clone", "-q", "http://db.shop.test:8000/repository.git", "cloned",
        options=("-q", "-f", str(config)), env={"GIT_TERMINAL_PROMPT": "0"},
    )  # fmt: skip

    assert (seen.stderr, seen.returncode) == ("", 0)
    assert (runner.folder / "cloned" / "one.txt").read_text() == "one\n"


def test_download_is_whole(runner: Runner, around: Around) -> None:
    program = f"import socket, hashlib\ns = socket.create_connection(('{PEER}', 19)); n = 0\nwhile d := s.recv(1 << 20): n += len(d)\nprint(n)"

    assert runner.exec(around.target, PYTHON, "-c", program).stdout == f"{DOWNLOAD}\n"


def test_unix_streams(runner: Runner, around: Around) -> None:
    network = {"outgoing": {"unix_streams": [r"^/srv/run/", "^@shop$"]}}

    lines = configured(runner, around, network, PYTHON, str(PROGRAMS / "outgoing.py"), "--unix").splitlines()

    assert lines[-2:] == [
        "unix\t[True, '/srv/run/shop.sock', True, b'\\x00shop']",
        "unix_missing\tFileNotFoundError ENOENT",
    ]


def test_unix_streams_are_local_by_default(runner: Runner, around: Around) -> None:
    program = "import socket\ns = socket.socket(socket.AF_UNIX)\ntry: s.connect(b'\\0shop')\nexcept OSError as e: print(e.errno)"

    assert runner.exec(around.target, PYTHON, "-c", program).stdout == "111\n"


class Both:
    """Servers on the same addresses and ports of loopback, here and in the target, that say on which side they are."""

    def __init__(self, around: Around, services: Services) -> None:
        self.ports = []
        for _ in range(2):
            first = socket.create_server(("127.0.0.2", 0))
            port = first.getsockname()[1]
            self.ports.append(port)
            here = [
                first,
                socket.create_server(("127.0.0.3", port)),
                socket.create_server(("::1", port), family=socket.AF_INET6),
            ]
            for listener in here:
                services.serve(listener, say(b"here"))
            for host in ("127.0.0.2", "127.0.0.3", "::1"):
                services.serve(around.target.inside.listen((host, port)), say(b"there"))


def say(word: bytes) -> Handler:
    async def handler(stream: trio.SocketStream) -> None:
        await stream.send_all(word)

    return handler


@pytest.fixture(scope="module")
def both(around: Around) -> Iterator[Both]:
    with Services() as services:
        yield Both(around, services)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ({"local": ["127.0.0.2"]}, "here here there there"),
        ({"local": ["127.0.0.2:P"]}, "here there there there"),
        ({"local": ["127.0.0.2/31"]}, "here here here there"),
        ({"local": ["udp://127.0.0.0/8"]}, "there there there there"),
        ({"local": ["tcp://127.0.0.0/8:Q"]}, "there here there there"),
        ({"local": ["[::1]", "127.0.0.3"]}, "there there here here"),
        ({"local": ["both.shop.test"], "dns": ["both.shop.test"]}, "here here there there"),
        ({"local": ["BOTH.shop.test:Q"], "dns": ["both.shop.test"]}, "there here there there"),
        ({"local": [":P"]}, "here there here here"),
        ({"remote": ["127.0.0.2"]}, "there there here here"),
        ({"remote": ["::1/128"]}, "here here here there"),
        ({"remote": ["both.shop.test:P"]}, "there here here here"),
        ({"remote": ["udp://127.0.0.2"]}, "here here here here"),
    ],
    ids=str,
)
def test_filter(runner: Runner, around: Around, both: Both, entries: dict[str, list[str]], expected: str) -> None:
    first, second = both.ports
    named = {kind: [each.replace(":P", f":{first}").replace(":Q", f":{second}") for each in listed]
             for kind, listed in entries.items()}  # fmt: skip
    program = (
        "import socket, sys\n"
        "for host, port in zip(sys.argv[1::2], sys.argv[2::2]):\n"
        " with socket.create_connection((host, int(port)), timeout=10) as s: print(s.recv(10).decode())"
    )
    where = ["both.shop.test", first, "both.shop.test", second, "127.0.0.3", first, "::1", first]

    # A name that the filter keeps here is resolved here too, unless it is said otherwise.
    network = {"dns": {"filter": {"remote": named.pop("dns")}}} if "dns" in named else {}
    network["outgoing"] = {"filter": named}
    seen = configured(runner, around, network, PYTHON, "-c", program, *map(str, where))

    assert seen.split() == expected.split()


def test_loopback_that_stays_here(runner: Runner, around: Around) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        where = [f"127.0.0.1:{port}", "127.0.0.1:6379", f"{PEER}:7"]

        assert connected(runner, around, {"outgoing": {"ignore_localhost": True}}, *where) == [
            "127.0.0.1", "ConnectionRefusedError", PEER,
        ]  # fmt: skip
        assert connected(runner, around, {}, *where) == ["ConnectionRefusedError", "127.0.0.1", PEER]


@pytest.mark.parametrize("network", [{"outgoing": False}, {"outgoing": {"tcp": False}}, False])
def test_switched_off(runner: Runner, around: Around, network: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        where = [f"127.0.0.1:{server.getsockname()[1]}", "127.0.0.1:6379"]

        assert connected(runner, around, network, *where) == ["127.0.0.1", "ConnectionRefusedError"]


def test_a_programs_own_listener_on_loopback(runner: Runner, around: Around) -> None:
    """A program that talks to itself, or to its child, stays on this machine."""
    program = (
        "import socket\nserver = socket.create_server(('127.0.0.1', 0)); port = server.getsockname()[1]\n"
        "client = socket.create_connection(('127.0.0.1', port)); other, peer = server.accept()\n"
        "client.sendall(b'own'); print(other.recv(3), peer == client.getsockname(), client.getpeername() == server.getsockname())"
    )

    done = runner.exec(around.target, PYTHON, "-c", program)

    assert (done.stdout, done.stderr) == ("b'own' True True\n", "")


@pytest.mark.slow
def test_five_thousand_connections(runner: Runner, around: Around) -> None:
    done = runner.exec(around.target, PYTHON, str(PROGRAMS / "many.py"), "5000", PEER, "7", timeout=110)

    assert (done.stderr, done.stdout) == ("", "5000 open, 5000 right\n")


CONNECTED_ANEW = """
import ctypes, socket
with socket.socket() as other:
    other.bind(("", 0))
    own = other.getsockname()
with socket.socket() as sock:
    sock.bind(own)  # a port that was asked for stays
    for port in 7, 25:
        sock.connect((%r, port))
        print(*sock.getpeername())
        assert ctypes.CDLL(None).connect(sock.fileno(), bytes(16), 16) == 0
"""


def test_a_socket_is_connected_anew_from_the_same_port(runner: Runner, around: Around) -> None:
    assert same(runner, around, PYTHON, "-c", CONNECTED_ANEW % PEER) == [f"{PEER} 7", f"{PEER} 25"]
