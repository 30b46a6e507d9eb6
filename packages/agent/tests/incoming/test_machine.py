"""Who is told to hold a port, and what counts as redirected."""

from __future__ import annotations

from mirrord_agent.incoming import machine
from mirrord_protocol.network_values import Address

V4, V6 = bytes([10, 0, 0, 2]), bytes(15) + b"\1"


def test_an_owner_is_named_so_that_a_person_can_go_there() -> None:
    owner = machine.owner_text("alice", "laptop", 4242)

    assert machine.comment(owner, 1767323045) == "alice on laptop, process 4242, since 2026-01-02 03:04:05 UTC"


def test_a_comment_fits_and_is_harmless() -> None:
    owner = machine.owner_text('a"b\\c\n' * 20, "é" * 300, 1 << 31)
    comment = machine.comment(owner, 0)

    assert len(comment) <= machine.COMMENT_SIZE
    assert comment.startswith("a?b?c?a")
    assert not set(comment) & {'"', "\\", "\n", "é"}
    assert comment.endswith("since 1970-01-01 00:00:00 UTC")
    assert len(machine.comment("x" * 500, 0)) == machine.COMMENT_SIZE


def test_the_holder_is_told() -> None:
    failure = machine.held(80, "alice\x1b[31m on laptop").failure

    assert failure.errno == "EADDRINUSE"
    assert "port 80 of the target is held by another session (alice?[31m on laptop): end that one" in failure.text
    assert "held by another session: end" in machine.held(80, None).failure.text
    assert "by this session already" in machine.subscribed_already(80).failure.text


def test_addresses_of_dual_stack_sockets() -> None:
    mapped = Address(bytes(10) + b"\xff\xff" + V4, 80)

    assert machine.is_mapped(mapped)
    assert machine.plain(mapped) == Address(V4, 80)
    for address in (Address(V4, 80), Address(V6, 80, 3)):
        assert not machine.is_mapped(address)
        assert machine.plain(address) == address


def test_only_what_was_going_to_the_port_was_redirected() -> None:
    assert machine.redirected(Address(V4, 80), 80)
    assert not machine.redirected(Address(V4, 4000), 80)
