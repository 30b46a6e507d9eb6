"""Connects, state by state, and what is remembered of them."""

from __future__ import annotations

from itertools import count

import pytest

from mirrord_cli.session.network import outgoing as module
from mirrord_cli.session.network.actions import Dial, Family, Join
from mirrord_cli.session.network.outgoing import Outgoing
from mirrord_protocol.network_values import UnixAddress
from session_network import Part, at, unpacked

TO, LOCAL, PEER = at("10.0.0.7:80"), at("10.0.0.2:5000"), at("10.0.0.7:80")
OWN, OURS = at("127.0.0.1:4000"), at("127.0.0.1:9000")


class Connects(Part):
    def __init__(self) -> None:
        super().__init__()
        self.machine = Outgoing(self.actions, self.ports)
        self.inodes = count(100)

    def connect(self, inode: int = 7, *, waits: bool = True, family: Family = Family.IPV4) -> tuple[int, Dial]:
        channel = next(self.channels)
        self.machine.connect(channel, inode, TO, family, waits=waits, timeout=None)
        return channel, self.take(Dial)

    def outcome(self, inode: int = 7) -> str:
        channel = next(self.channels)
        self.machine.outcome(channel, inode)
        return self.fate(channel)

    def carried(self, inode: int, port: int = 9000) -> int:
        channel, dial = self.connect(inode)
        self.machine.reached(dial.connect, LOCAL, PEER, port)
        self.answer(channel)
        self.machine.joined(dial.connect)
        return dial.connect


def test_one_that_waits() -> None:
    part = Connects()
    channel, dial = part.connect()
    assert (dial.to, dial.inode, dial.waits) == (TO, 7, True)
    assert part.waits(channel)
    assert part.outcome() == "EINPROGRESS"

    part.machine.reached(dial.connect, LOCAL, PEER, 9000)
    reply, payload = part.answer(channel)
    assert (reply.errno, unpacked(payload)) == (None, (str(OURS),))
    assert (part.bits.relayed, part.bits.relays) == ({9000}, 1)
    pair = part.machine.describe(7, OWN, OURS)  # before anything more has happened
    assert pair and unpacked(pair) == (str(LOCAL), str(PEER))

    assert part.outcome() == "done"
    part.machine.joined(dial.connect)
    assert part.outcome() == "done"
    part.machine.ended(dial.connect)
    assert part.outcome() == "done"
    assert part.machine.describe(7, OWN, OURS) == pair


def test_one_that_does_not_wait() -> None:
    part = Connects()
    channel, dial = part.connect(waits=False)
    part.machine.offered(dial.connect, 9000)
    assert unpacked(part.answer(channel)[1]) == (str(OURS),)
    assert part.outcome() == "EINPROGRESS"
    part.machine.connecting(7, at("[::ffff:127.0.0.1]:4000"))
    assert part.take(Join) == Join(dial.connect, OWN)

    part.machine.reached(dial.connect, LOCAL, PEER, None)
    assert part.outcome() == "EINPROGRESS"
    part.machine.joined(dial.connect)
    assert part.outcome() == "done"
    part.machine.connecting(7, OWN)
    assert part.none(Join)


def test_the_targets_errno() -> None:
    part = Connects()
    channel, dial = part.connect()
    part.machine.unreached(dial.connect, "ECONNREFUSED")
    assert part.fate(channel) == "ECONNREFUSED"
    assert part.outcome() == "local"  # it was told

    channel, dial = part.connect(waits=False)
    part.machine.offered(dial.connect, 9000)
    part.answer(channel)
    part.machine.unreached(dial.connect, "EHOSTUNREACH")
    assert [part.outcome(), part.outcome()] == ["EHOSTUNREACH"] * 2
    part.machine.connecting(7, OWN)  # told late: it is still to be refused
    assert part.take(Join).own == OWN
    part.machine.ended(dial.connect)
    assert part.outcome() == "EHOSTUNREACH"


def test_another_connect_of_the_same_socket() -> None:
    part = Connects()
    channel, first = part.connect(waits=False)
    part.machine.offered(first.connect, 9000)
    part.answer(channel)
    part.machine.unreached(first.connect, "ECONNREFUSED")

    channel, second = part.connect(waits=False)
    part.machine.offered(second.connect, 9001)
    part.answer(channel)
    assert part.outcome() == "EINPROGRESS"
    assert part.bits.relayed == {9001}
    part.machine.ended(first.connect)  # which nobody knows any more
    part.machine.reached(second.connect, LOCAL, PEER, None)
    part.machine.joined(second.connect)
    assert part.outcome() == "done"


def test_an_earlier_one_that_is_not_decided() -> None:
    part = Connects()
    _, first = part.connect(waits=False)
    _, second = part.connect(waits=False)
    part.machine.abandoned(first.connect)

    assert part.outcome() == "EINPROGRESS"
    part.machine.abandoned(second.connect)
    assert part.outcome() == "local"
    assert len(part.machine) == 0


@pytest.mark.parametrize("event", ["abandoned", "ended"])
def test_one_that_nobody_wants_any_more(event: str) -> None:
    part = Connects()
    channel, dial = part.connect()
    getattr(part.machine, event)(dial.connect)
    part.machine.reached(dial.connect, LOCAL, PEER, 9000)
    part.machine.unreached(dial.connect, "EIO")
    part.machine.joined(dial.connect)
    part.machine.offered(dial.connect, 1)

    assert part.waits(channel)
    assert (len(part.machine), part.bits.relayed) == (0, set())


def test_the_program_did_not_come() -> None:
    part = Connects()
    channel, dial = part.connect()
    part.machine.reached(dial.connect, LOCAL, PEER, 9000)
    part.answer(channel)
    part.machine.ended(dial.connect)

    assert (part.outcome(), part.bits.relayed) == ("local", set())


def test_unix_streams_have_no_addresses() -> None:
    part = Connects()
    path = UnixAddress(b"/run/a")
    channel = next(part.channels)
    part.machine.connect(channel, 7, path, Family.UNIX, waits=True, timeout=None)
    dial = part.take(Dial)
    part.machine.reached(dial.connect, UnixAddress(b""), path, b"\0mirrord-x")

    assert part.answer(channel)[1] == b"\0mirrord-x"
    assert part.machine.describe(7, OWN, OURS) is None
    assert (part.machine.describe_unix(7), part.machine.describe_unix(8)) == (b"/run/a", b"")


def test_sockets_of_ipv6() -> None:
    part = Connects()
    channel, dial = part.connect(family=Family.MAPPED)
    part.machine.reached(dial.connect, LOCAL, PEER, 9000)
    assert unpacked(part.answer(channel)[1]) == ("[::ffff:127.0.0.1]:9000",)

    pair = part.machine.describe(7, at("[::ffff:127.0.0.1]:4000"), at("[::ffff:127.0.0.1]:9000"))
    assert pair and unpacked(pair) == ("[::ffff:10.0.0.2]:5000", "[::ffff:10.0.0.7]:80")
    assert part.machine.describe(7, OWN, at("127.0.0.1:9001")) is None
    assert part.machine.describe(8, OWN, OURS) is None


def test_the_agent_goes() -> None:
    part = Connects()
    waiting, first = part.connect(1)
    ahead, second = part.connect(2, waits=False)
    part.machine.offered(second.connect, 9001)
    part.answer(ahead)
    part.carried(3)
    part.machine.lost()

    assert part.fate(waiting) == "ENETDOWN"
    assert [part.outcome(inode) for inode in (2, 3)] == ["ENETDOWN", "done"]
    part.machine.unreached(first.connect, "ECONNREFUSED")  # the driver sees it later
    part.machine.unreached(second.connect, "ECONNREFUSED")
    assert part.outcome(2) == "ENETDOWN"
    part.machine.connect(99, 9, TO, Family.IPV4, waits=False, timeout=None)
    assert part.fate(99) == "ENETDOWN"


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_OVER", 3)
    monkeypatch.setattr(module, "MOST_DIALED", 2)
    part = Connects()
    for inode in range(10):
        part.machine.ended(part.carried(inode, 9000 + inode))
    assert [part.outcome(inode) for inode in (6, 7)] == ["local", "done"]
    assert part.bits.relayed == {9007, 9008, 9009}

    dials = [part.connect(inode)[1] for inode in (20, 21)]
    part.machine.connect(50, 22, TO, Family.IPV4, waits=False, timeout=None)
    assert part.fate(50) == "EMFILE"
    part.machine.unreached(dials[0].connect, "EIO")
    part.connect(22)
    part.machine.lost()


def test_descriptors_are_bounded() -> None:
    part = Connects()
    part.machine.most = 2
    first, _ = part.carried(1), part.carried(2)
    part.machine.connect(50, 3, TO, Family.IPV4, waits=True, timeout=None)
    assert part.fate(50) == "EMFILE"
    part.machine.ended(first)
    part.carried(3)
