"""Which address can really be bound, with real sockets that stand in the way."""

from __future__ import annotations

import socket

from mirrord_cli.session.network.actions import Attempt, TryBind
from mirrord_cli.session.network.trying.driver import try_bind
from mirrord_protocol.network_values import Address
from session_agent import listener, own
from session_network import at

TAKEN, NOT_HERE = frozenset({"EADDRINUSE", "EACCES"}), frozenset({"EADDRNOTAVAIL"})
ELSEWHERE = "198.51.100.7"  # for documentation: nobody has it


def tried(*attempts: Attempt, datagram: bool = False, only: bool = False) -> Address | str:
    return try_bind(TryBind(1, attempts, datagram, only))


def test_a_port_that_is_taken() -> None:
    with listener() as holder:
        found = tried(
            Attempt(own(holder)), Attempt(at("127.0.0.1:1"), after=NOT_HERE), Attempt(at("127.0.0.1:0"), after=TAKEN)
        )

        assert isinstance(found, Address)
        assert found.port not in {0, 1, own(holder).port}
        assert tried(Attempt(own(holder))) == "EADDRINUSE"
    assert tried(Attempt(at("127.0.0.1:0"))) != "EADDRINUSE"


def test_an_address_that_is_not_here() -> None:
    with listener() as free:
        port = own(free).port
    wanted = Attempt(at(ELSEWHERE, port))

    assert tried(wanted) == "EADDRNOTAVAIL"
    assert tried(wanted, datagram=True) == "EADDRNOTAVAIL"
    there = Attempt(at("127.0.0.1", port), after=NOT_HERE)
    assert tried(wanted, Attempt(at("127.0.0.1:0"), after=TAKEN), there) == at("127.0.0.1", port)


def test_a_shared_port() -> None:
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("127.0.0.1", 0))
        holder.listen()

        assert tried(Attempt(own(holder))) == "EADDRINUSE"
        assert tried(Attempt(own(holder), shared=True)) == own(holder)


def test_both_families() -> None:
    with listener(socket.AF_INET, "0.0.0.0") as holder:
        both = Attempt(at("[::]", own(holder).port))

        assert tried(both) == "EADDRINUSE"
        assert tried(both, only=True) == both.address


def test_nonsense() -> None:
    local = Address(bytes.fromhex("fe80") + bytes(13) + b"\1", 0, 0xFFFFFFFF)

    assert tried(Attempt(local)) == "ENODEV"
    assert tried() == "EADDRNOTAVAIL"
