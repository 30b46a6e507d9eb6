"""This machine's names."""

from __future__ import annotations

import socket

import trio

from mirrord_cli.session.actions import Action, Answer
from mirrord_cli.session.network.naming.driver import Naming, addresses_here
from mirrord_protocol.network_values import Address
from session_machine import Script


def test_names_of_this_machine() -> None:
    assert socket.inet_aton("127.0.0.1") in trio.run(addresses_here, b"localhost")
    assert trio.run(addresses_here, b"10.1.2.3") == (bytes([10, 1, 2, 3]),)
    assert trio.run(addresses_here, b"fd00::7") == (socket.inet_pton(socket.AF_INET6, "fd00::7"),)


def test_names_that_are_none() -> None:
    assert trio.run(addresses_here, b"a..b") == ()
    assert trio.run(addresses_here, b"\xff") == ()
    assert trio.run(addresses_here, b"x" * 300) == ()


def test_the_machine_is_told() -> None:
    machine = Script().machine
    came: list[Address | None] = []
    performed: list[Action] = []

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            naming = Naming(machine, performed.extend, nursery)
            machine.names.look_up_here("127.0.0.7", lambda hosts: came.append(Address(hosts[0], 0)))
            for action in machine.tick(0.0):
                assert not isinstance(action, Answer)
                naming.ask(action)  # type: ignore[arg-type]

    trio.run(main)
    assert came == [Address(bytes([127, 0, 0, 7]), 0)]
    assert performed == []
