"""Datagram sockets and their peers, state by state."""

from __future__ import annotations

import pytest

from mirrord_cli.session.network import datagrams as module
from mirrord_cli.session.network.actions import AddPeer, Carry, Drop, DropPeer, Family
from mirrord_cli.session.network.datagrams import Datagrams
from session_network import Part, at, unpacked

OWN, LOCAL = at("0.0.0.0:4000"), at("10.0.0.2:5000")
DNS, NTP, SIX = at("10.0.0.53:53"), at("10.0.0.9:123"), at("[fd00::1]:53")


class Sockets(Part):
    def __init__(self) -> None:
        super().__init__()
        self.machine = Datagrams(self.actions, self.ports)

    def connect(self, inode: int = 7) -> tuple[int, Carry]:
        channel = next(self.channels)
        self.machine.connect(channel, inode, DNS, Family.IPV4)
        return channel, self.take(Carry)

    def send(self, to: object = DNS, inode: int = 7, family: Family = Family.IPV4) -> int:
        channel = next(self.channels)
        self.machine.send(channel, inode, OWN, to, family)  # type: ignore[arg-type]
        return channel


def test_a_connected_socket() -> None:
    part = Sockets()
    channel, carry = part.connect()
    assert (carry.to, carry.ipv6, carry.own) == (DNS, False, None)
    part.machine.opened(carry.socket, LOCAL)
    assert part.waits(channel)
    part.machine.peered(carry.socket, DNS, 9000)

    assert unpacked(part.answer(channel)[1]) == ("127.0.0.1:9000",)
    assert (part.bits.relayed, part.bits.relayed_datagrams) == ({9000}, 1)
    pair = part.machine.describe(7, at("127.0.0.1:4000"), at("127.0.0.1:9000"))
    assert pair and unpacked(pair) == (str(LOCAL), str(DNS))
    assert part.machine.describe(8, OWN, at("127.0.0.1:9000")) is None
    assert part.machine.describe(7, OWN, at("127.0.0.1:9001")) is None


def test_it_is_connected_again() -> None:
    part = Sockets()
    channel, first = part.connect()
    part.machine.opened(first.socket, LOCAL)
    part.machine.peered(first.socket, DNS, 9000)
    part.answer(channel)

    channel, second = part.connect()
    assert part.take(Drop) == Drop(first.socket)
    part.machine.peered(second.socket, DNS, 9001)
    assert unpacked(part.answer(channel)[1]) == ("127.0.0.1:9001",)
    assert part.bits.relayed == {9001}


def test_several_peers_of_one_socket() -> None:
    part = Sockets()
    first = part.send(DNS)
    carry = part.take(Carry)
    assert (carry.to, carry.own) == (None, OWN)
    assert part.take(AddPeer) == AddPeer(carry.socket, DNS)
    again = part.send(DNS)  # while it is made
    other = part.send(NTP)
    assert part.none(Carry)
    assert part.take(AddPeer) == AddPeer(carry.socket, NTP)
    part.machine.peered(carry.socket, DNS, 9000)
    part.machine.peered(carry.socket, NTP, 9001)

    ports = [unpacked(part.answer(channel)[1]) for channel in (first, again, other, part.send(DNS))]
    assert ports == [("127.0.0.1:9000",), ("127.0.0.1:9000",), ("127.0.0.1:9001",), ("127.0.0.1:9000",)]
    pair = part.machine.describe(7, OWN, at("127.0.0.1:9001"))
    assert pair and unpacked(pair) == ("0.0.0.0:4000", str(NTP))  # the target's isn't there yet
    part.machine.opened(carry.socket, LOCAL)
    pair = part.machine.describe(7, OWN, at("127.0.0.1:9001"))
    assert pair and unpacked(pair) == (str(LOCAL), str(NTP))


def test_the_kernel_gave_it_another_port() -> None:
    """As it does after a connect that was dissolved."""
    part = Sockets()
    part.send(DNS)
    first, _ = part.take(Carry), part.take(AddPeer)
    part.machine.peered(first.socket, DNS, 9000)
    part.machine.send(99, 7, at("0.0.0.0:4001"), DNS, Family.IPV4)
    assert part.take(Drop).socket == first.socket
    assert part.take(Carry).own == at("0.0.0.0:4001")
    assert part.bits.relayed == set()


def test_families_have_a_socket_each() -> None:
    part = Sockets()
    part.send(DNS, family=Family.MAPPED)
    four, _ = part.take(Carry), part.take(AddPeer)
    part.send(SIX, family=Family.MAPPED)
    six = part.take(Carry)

    assert (four.ipv6, six.ipv6, four.socket == six.socket) == (False, True, False)


def test_somebody_new_is_heard_of() -> None:
    part = Sockets()
    part.send(DNS)
    carry, _ = part.take(Carry), part.take(AddPeer)
    part.machine.heard(carry.socket, NTP)
    assert part.take(AddPeer).peer == NTP
    part.machine.heard(carry.socket, NTP)
    part.machine.heard(99, NTP)
    assert part.none(AddPeer)
    part.machine.peered(carry.socket, NTP, 9001)
    pair = part.machine.describe(7, OWN, at("127.0.0.1:9001"))
    assert pair and unpacked(pair)[1] == str(NTP)


def test_what_cannot_be_had() -> None:
    part = Sockets()
    channel, carry = part.connect()
    part.machine.not_opened(carry.socket, "ENETUNREACH")
    assert part.fate(channel) == "ENETUNREACH"
    first, second = part.send(DNS), None
    carry, _ = part.take(Carry), part.take(AddPeer)
    second = part.send(NTP)
    part.machine.not_peered(carry.socket, DNS, "EMFILE")
    part.machine.not_peered(carry.socket, DNS, "EMFILE")
    assert part.fate(first) == "EMFILE"
    assert part.waits(second)
    part.machine.not_opened(carry.socket, "EACCES")
    part.machine.not_opened(carry.socket, "EACCES")
    assert part.fate(second) == "EACCES"


def test_ends() -> None:
    part = Sockets()
    part.send(DNS)
    carry = part.take(Carry)
    part.machine.peered(carry.socket, DNS, 9000)
    part.machine.silent(carry.socket, DNS)
    part.machine.silent(carry.socket, DNS)
    assert part.bits.relayed == set()
    part.machine.peered(carry.socket, DNS, 9000)  # made too late
    assert part.bits.relayed == set()
    waiting = part.send(NTP)
    part.machine.gone(carry.socket)
    part.machine.gone(carry.socket)
    assert part.fate(waiting) == "ENETDOWN"
    part.send(DNS)
    assert part.take(Carry).socket != carry.socket


def test_the_agent_goes() -> None:
    part = Sockets()
    channel, carry = part.connect()
    part.machine.lost()

    assert (part.take(Drop).socket, part.fate(channel)) == (carry.socket, "ENETDOWN")
    assert part.fate(part.send()) == "ENETDOWN"
    part.machine.opened(carry.socket, LOCAL)
    part.machine.peered(carry.socket, DNS, 9000)
    assert part.bits.relayed == set()


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 2)
    monkeypatch.setattr(module, "MOST_PEERS", 3)
    part = Sockets()
    first = part.send(at("10.0.0.1:1"))
    carry = part.take(Carry)
    for host in range(2, 6):
        part.send(at(f"10.0.0.{host}:1"))
    assert part.fate(first) == "EMFILE"
    dropped = [action.peer for action in part.actions if isinstance(action, DropPeer)]
    assert dropped == [at("10.0.0.1:1"), at("10.0.0.2:1")]
    part.machine.peered(carry.socket, at("10.0.0.1:1"), 9000)
    assert part.bits.relayed == set()
    part.send(DNS, inode=8)
    assert part.fate(part.send(DNS, inode=9)) == "EMFILE"
