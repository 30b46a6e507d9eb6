"""Tables of nftables: made, filled, held, told of, gone with their owner; in namespaces of the tests' own."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from agent_kit import needs_root
from mirrord_agent.incoming.rules import driver, machine
from mirrord_agent.incoming.rules.driver import Rules
from mirrord_agent.kernel import driver as kernel
from mirrord_agent.kernel.layouts import SOCKET_MARK
from mirrord_protocol.failure import RemoteError
from mirrord_protocol.values import FailureKind
from network_kit import everybody, in_child, kill, nft, play, ruleset

HELD = "alice on laptop, process 7, since 2026-01-02 03:04:05 UTC"


def subscribe(rules: Rules, port: int, listener: int, *, loopback: bool = True) -> Rules:
    rules.take(port, HELD)
    rules.redirect(port, listener, mark=SOCKET_MARK, loopback=loopback, mesh=rules.mesh())
    return rules


def refusal(call: Callable[[], object]) -> tuple[str | None, str]:
    with pytest.raises(RemoteError) as caught:
        call()
    return caught.value.failure.errno, caught.value.failure.text


@everybody
def test_a_port_has_a_table_that_says_whose_it_is(ordinary: bool) -> None:
    def block() -> None:
        rules = Rules()
        assert rules.lacking is None
        assert ruleset() == ""  # the probe left nothing
        subscribe(rules, 80, 4000)
        text = ruleset()
        assert "table inet mirrord_80 {" in text
        assert "flags owner" in text
        assert f'comment "{HELD}"' in text
        assert text.count("tcp dport 80 tcp flags syn / fin,syn,rst,ack redirect to :4000") == 2
        assert text.count(f"meta mark != 0x{SOCKET_MARK:08x}") == 2
        assert "hook prerouting priority dstnat - 10" in text
        assert "hook output priority -110" in text

        rules.drop(80)
        rules.drop(80)  # twice is once
        rules.rest()
        assert ruleset() == ""

    play(block, ordinary=ordinary)


@everybody
def test_without_loopback_connections_of_the_targets_own_stay(ordinary: bool) -> None:
    def block() -> None:
        rules = Rules()
        subscribe(rules, 80, 4000, loopback=False)
        assert "hook output priority -110" not in ruleset()

    play(block, ordinary=ordinary)


@everybody
def test_a_port_that_another_agent_holds(ordinary: bool) -> None:
    def block() -> None:
        child = in_child(lambda: subscribe(Rules(), 80, 4000))
        rules = Rules()
        for _ in range(2):
            code, text = refusal(lambda: rules.take(80, "bob"))
            assert code == "EADDRINUSE"
            assert text.startswith(f"port 80 of the target is held by another session ({HELD}): ")
        rules.drop(80)  # not ours: nothing happens
        assert "mirrord_80" in ruleset()
        subscribe(rules, 81, 4001)  # others are free

        kill(child)
        assert "mirrord_80" not in ruleset()
        subscribe(rules, 80, 4002)

    play(block, ordinary=ordinary)


@everybody
def test_a_table_without_a_comment_is_somebodys_too(ordinary: bool) -> None:
    def block() -> None:
        nft("table inet mirrord_80 { }")
        code, text = refusal(lambda: Rules().take(80, "bob"))
        assert code == "EADDRINUSE"
        assert "held by another session" in text

    play(block, ordinary=ordinary)


@everybody
def test_a_port_twice(ordinary: bool) -> None:
    def block() -> None:
        rules = Rules()
        subscribe(rules, 80, 4000)
        assert refusal(lambda: rules.take(80, HELD)) == (
            "EADDRINUSE",
            "port 80 of the target is held by this session already",
        )

    play(block, ordinary=ordinary)


@everybody
def test_killed_its_rules_are_gone_and_the_target_answers(ordinary: bool) -> None:
    def block() -> None:
        server = socket.create_server(("127.0.0.1", 80))

        def agent() -> object:
            server.close()
            listener = socket.create_server(("127.0.0.1", 0))
            return subscribe(Rules(), 80, listener.getsockname()[1]), listener

        child = in_child(agent)
        with socket.create_connection(("127.0.0.1", 80)):
            server.setblocking(False)
            with pytest.raises(BlockingIOError):
                server.accept()
        kill(child)
        assert ruleset() == ""
        server.settimeout(10)
        with socket.create_connection(("127.0.0.1", 80)) as client:
            assert server.accept()[1] == client.getsockname()

    play(block, ordinary=ordinary)


@everybody
def test_what_was_redirected_stays_when_the_last_table_goes(ordinary: bool) -> None:
    def block() -> None:
        rules = Rules()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            subscribe(rules, 80, listener.getsockname()[1])
            with socket.create_connection(("127.0.0.1", 80), 10) as client, listener.accept()[0] as served:
                served.settimeout(10)
                rules.drop(80)
                for _ in range(200):  # the kernel takes things apart a few milliseconds later
                    client.send(b"question")
                    assert served.recv(9) == b"question"
                    served.send(b"answer")
                    assert client.recv(9) == b"answer"
                    trio.run(trio.sleep, 0.0002)
        assert "mirrord_agent_" in ruleset()
        rules.rest()
        assert ruleset() == ""

    play(block, ordinary=ordinary)


MESHES = {
    "istio": "table ip nat { chain ISTIO_INBOUND { }; }",
    "istio, of its own nftables": "table inet istio-proxy-nat { chain istio-inbound { }; }",
    "linkerd": "table ip nat { chain PROXY_INIT_REDIRECT { }; }",
    "kuma": "table ip nat { chain KUMA_MESH_INBOUND { }; }",
    "consul": "table ip nat { chain CONSUL_PROXY_INBOUND { }; }",
}


@pytest.mark.parametrize("name", MESHES)
def test_a_mesh_is_known_by_its_chains(name: str) -> None:
    def block() -> None:
        rules = Rules()
        assert rules.mesh() is None
        nft(MESHES[name])
        found = rules.mesh()
        assert found and found.name == name.partition(",")[0]
        subscribe(rules, 80, 4000)
        assert "hook output priority -90" in ruleset()

    play(block, ordinary=True)


def legacy_tables() -> list[str]:
    return Path("/proc/thread-self/net/ip_tables_names").read_text().split()


def test_rules_of_iptables_legacy_are_roots_to_see() -> None:
    assert play(lambda: driver._legacy_chains(driver.open_legacy_tables()), ordinary=True) == []


@needs_root
def test_rules_of_iptables_legacy_are_looked_at_where_there_are_any() -> None:
    def block() -> bool:
        if not os.path.exists("/proc/thread-self/net/ip_tables_names"):
            return False
        assert driver._legacy_chains(driver.open_legacy_tables()) == []
        assert legacy_tables() == []  # asking made none
        with socket.socket() as asker:
            asked = machine.LEGACY_TABLE.ljust(machine.LEGACY_INFO.size, b"\0")
            kernel.getsockopt(asker.fileno(), socket.SOL_IP, machine.LEGACY_GET_INFO, asked)
        assert legacy_tables() == ["nat"]
        assert "ERROR" in driver._legacy_chains(driver.open_legacy_tables())  # how the kernel calls the end of a table
        assert Rules().mesh() is None
        return True

    if not play(block, ordinary=False):
        pytest.skip("the kernel has no iptables-legacy")


def test_a_mesh_is_known_by_chains_of_iptables_legacy(monkeypatch: pytest.MonkeyPatch) -> None:
    def entry(name: bytes) -> bytes:
        return bytes(112) + b"\x40\0" + name.ljust(30, b"\0") + bytes(8)

    entries = b"nat".ljust(40, b"\0") + entry(b"ERROR") + entry(b"PROXY_INIT_REDIRECT") + entry(b"ERROR")
    chains = machine.legacy_chains(entries)
    assert chains == ["nat", "ERROR", "PROXY_INIT_REDIRECT", "ERROR"]
    monkeypatch.setattr(driver, "_legacy_chains", lambda _: chains)

    def block() -> str:
        found = Rules().mesh()
        return found.name if found else ""

    assert play(block, ordinary=True) == "linkerd"


def test_rules_that_the_kernel_refuses() -> None:
    def block() -> None:
        rules = Rules()
        subscribe(rules, 80, 4000)
        with pytest.raises(RemoteError) as caught:  # its chains are there already, of another priority
            rules.redirect(80, 4000, mark=1, loopback=True, mesh=machine.MESHES[0])
        assert caught.value.failure.kind == FailureKind.SYSTEM
        assert "were refused" in caught.value.failure.text

    play(block, ordinary=True)


def test_without_rights() -> None:
    def block() -> None:
        os.setresuid(65534, 65534, 65534) if os.geteuid() == 0 else None
        rules = Rules()
        assert rules.lacking == machine.NO_RIGHTS

    if os.geteuid() == 0:
        play(block, ordinary=False)
    else:
        assert Rules().lacking == machine.NO_RIGHTS


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "LIBRARY", "libnftables.so.77")
    lacking = Rules().lacking
    assert lacking == machine.NO_LIBRARY
    assert "libnftables1" in lacking.text


@pytest.mark.parametrize(
    ("error", "release", "said"),
    [
        ("Error: Could not process rule: Operation not permitted\n", "6.1.0", "NET_ADMIN"),
        ("Error: Could not process rule: Operation not supported\n", "5.10.0-8-amd64", "need Linux 5.12 or newer (tables that go with their owner), this is 5.10.0-8-amd64"),
        ("Error: Could not process rule: Invalid argument\n", "4.19", "this is 4.19"),
        ("Protocol not supported", "6.1.0", "nf_tables, which the target's kernel lacks"),
        ("Error: Could not process rule: Device or resource busy\nmore", "6.1.0", "refused: Could not process rule: Device or resource busy"),
    ],
)  # fmt: skip
def test_what_is_lacking(error: str, release: str, said: str) -> None:
    assert said in machine.lacking(error, release).text


def test_errnos_in_texts() -> None:
    assert machine.errno_name("Error: Could not process rule: No such file or directory") == "ENOENT"
    assert machine.errno_name("No such device or address") == "ENXIO"
    assert machine.errno_name("syntax error, unexpected newline") == "EIO"
    assert subprocess.run(["nft", "--version"], capture_output=True).returncode == 0
