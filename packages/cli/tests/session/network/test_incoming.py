"""Listeners and subscriptions, state by state, and where connections go."""

from __future__ import annotations

import pytest

from mirrord_cli.session.network import incoming as module
from mirrord_cli.session.network.actions import LeavePort, WantPort, WatchListeners
from mirrord_cli.session.network.incoming import Incoming, Met
from mirrord_protocol.network_values import Address
from mirrord_protocol.values import Failure, FailureKind
from session_network import Part, at, unpacked

HERE = at("0.0.0.0:8080")
CLIENT, CLIENT6 = at("10.0.0.9:7000"), at("[fd00::9]:7000")
TAKEN = Failure(FailureKind.SYSTEM, "EADDRINUSE", "ana@laptop (process 7) has it since 10:02\x1b[2J")


class Listeners(Part):
    def __init__(self) -> None:
        super().__init__()
        self.ignored = {9}
        self.machine = Incoming(self.actions, self.ports, self.decide, lambda port: 4480 if port == 8080 else None)

    def decide(self, address: Address) -> int | None:
        return None if address.port in self.ignored else {8080: 80}.get(address.port, address.port)

    def listen(self, inode: int = 7, here: Address = HERE, wanted: Address | None = None, *, only: bool = False) -> int:
        channel = next(self.channels)
        self.machine.listen(channel, inode, here, wanted or here, ipv6_only=only)
        return channel

    def held(self, inode: int = 7, here: Address = HERE, *, only: bool = False) -> int:
        channel = self.listen(inode, here, only=only)
        port = self.take(WantPort).port
        self.machine.subscribed(port)
        assert self.fate(channel) == "done"
        return port

    def to(self, port: int, peer: Address) -> str | None:
        place = self.machine.place(port, peer)
        return str(place.to) if place else None


def test_a_port_is_subscribed() -> None:
    part = Listeners()
    channel = part.listen()
    assert part.take(WantPort).port == 80
    part.take(WatchListeners)
    assert part.waits(channel)
    assert part.bits.own == {8080}
    part.machine.subscribed(80)

    assert part.answer(channel)[1] == b""
    assert part.to(80, CLIENT) == "127.0.0.1:8080"
    assert part.to(81, CLIENT) is None


def test_several_share_a_subscription() -> None:
    part = Listeners()
    first, again, second = part.listen(7), part.listen(7), part.listen(8)
    part.take(WantPort)
    part.machine.subscribed(80)
    assert [part.fate(channel) for channel in (first, again, second)] == ["done"] * 3
    assert [part.fate(part.listen(inode)) for inode in (7, 8, 9)] == ["done"] * 3
    assert part.none(WantPort)

    for _ in range(2):
        part.machine.looked(frozenset({9}))
    assert part.none(LeavePort)
    assert part.bits.own == {8080}
    part.machine.looked(frozenset())
    part.machine.looked(frozenset({9}))  # a look may miss one
    part.machine.looked(frozenset())
    assert part.none(LeavePort)
    part.machine.looked(frozenset())
    assert part.take(LeavePort).port == 80
    assert (part.bits.own, part.machine.watches) == (set(), False)
    assert part.to(80, CLIENT) is None


def test_it_listens_again_at_once() -> None:
    part = Listeners()
    part.held(7)
    assert part.fate(part.listen(8)) == "done"
    for _ in range(3):
        part.machine.looked(frozenset({8}))
    assert part.none(LeavePort)
    assert part.to(80, CLIENT) == "127.0.0.1:8080"


def test_the_last_one_leaves_while_it_is_asked_for() -> None:
    part = Listeners()
    channel = part.listen()
    for _ in range(2):
        part.machine.looked(frozenset())
    part.machine.subscribed(80)

    assert part.fate(channel) == "done"
    assert part.take(LeavePort).port == 80
    part.machine.subscribed(99)
    assert part.take(LeavePort).port == 99


def test_what_stays_here() -> None:
    part = Listeners()
    assert part.fate(part.listen(here=at("0.0.0.0:9"))) == "local"
    assert part.fate(part.listen(here=at("0.0.0.0:9"))) == "local"
    assert (part.bits.own, part.machine.listens_on(9)) == ({9}, True)
    assert part.none(WantPort)
    part.take(WatchListeners)


def test_another_session_has_it() -> None:
    part = Listeners()
    channels = [part.listen(7), part.listen(8)]
    part.machine.not_subscribed(80, TAKEN)
    for channel in channels:
        reply, payload = part.answer(channel)
        assert reply.errno == "EADDRINUSE"
        assert payload == (
            b"mirrord: port 80 of the target can't be had: ana@laptop (process 7) has it since 10:02?[2J.\n"
        )
    assert (part.bits.own, part.machine.watches) == (set(), False)
    part.take(WantPort)
    part.listen(7)  # it tries again
    part.take(WantPort)


def test_it_cannot_be_had_at_all() -> None:
    part = Listeners()
    channel = part.listen()
    part.machine.not_subscribed(80, Failure(FailureKind.UNSUPPORTED, None, "no nftables"))
    part.machine.not_subscribed(80, TAKEN)
    reply, payload = part.answer(channel)

    assert (reply.errno, payload) == (None, b"mirrord: port 80 of the target can't be had: no nftables.\n")
    assert part.bits.own == {8080}
    assert part.fate(part.listen()) == "local"


def test_a_port_that_the_user_moved_needs_no_words() -> None:
    part = Listeners()
    first = part.listen(7, at("0.0.0.0:4480"), HERE)
    part.take(WantPort)
    part.machine.subscribed(80)

    assert part.answer(first)[1] == b""


def test_a_moved_port_is_told_once() -> None:
    part = Listeners()
    first = part.listen(7, at("0.0.0.0:41000"), HERE)
    part.take(WantPort)
    part.machine.subscribed(80)
    assert part.answer(first)[1] == b"mirrord: port 8080 is port 41000 on this machine, where 8080 can't be had.\n"
    assert part.answer(part.listen(8, at("0.0.0.0:41000"), HERE))[1] == b""
    place = part.machine.place(80, CLIENT)
    assert place and (str(place.to), place.port) == ("127.0.0.1:41000", 8080)


def test_a_socket_that_was_bound_anew() -> None:
    part = Listeners()
    part.held(7)
    channel = part.listen(7, at("0.0.0.0:81"))
    assert (part.take(LeavePort).port, part.take(WantPort).port) == (80, 81)
    part.machine.subscribed(81)
    assert part.fate(channel) == "done"
    assert part.bits.own == {81}


@pytest.mark.parametrize(
    ("here", "only", "four", "six"),
    [
        ("0.0.0.0:1", False, "127.0.0.1:1", "127.0.0.1:1"),
        ("192.168.1.5:1", False, "192.168.1.5:1", "192.168.1.5:1"),
        ("[::]:1", False, "127.0.0.1:1", "[::1]:1"),
        ("[::]:1", True, "[::1]:1", "[::1]:1"),
        ("[::1]:1", False, "[::1]:1", "[::1]:1"),
        ("[::ffff:127.0.0.1]:1", False, "127.0.0.1:1", "127.0.0.1:1"),
    ],
)
def test_where_connections_go(here: str, only: bool, four: str, six: str) -> None:
    part = Listeners()
    part.held(7, at(here), only=only)

    assert (part.to(1, CLIENT), part.to(1, CLIENT6)) == (four, six)
    place = part.machine.place(1, CLIENT6)
    assert place and place.tells is (":" in six.rpartition(":")[0])


def test_both_families_of_a_port() -> None:
    part = Listeners()
    part.held(7, at("0.0.0.0:1"))
    part.listen(8, at("[::]:1"), only=True)

    assert (part.to(1, CLIENT), part.to(1, CLIENT6)) == ("127.0.0.1:1", "[::1]:1")


def test_who_is_at_the_other_end() -> None:
    part = Listeners()
    met = Met(8080, 9000, ipv6=False)
    part.machine.met(met, at("10.0.0.2:8080"), CLIENT)
    assert (part.bits.relayed, part.bits.relays) == ({9000}, 1)

    pair = part.machine.describe(at("127.0.0.1:8080"), at("127.0.0.1:9000"))
    assert pair and unpacked(pair) == ("10.0.0.2:8080", str(CLIENT))
    pair = part.machine.describe(at("[::ffff:127.0.0.1]:8080"), at("[::ffff:127.0.0.1]:9000"))
    assert pair and unpacked(pair)[1] == "[::ffff:10.0.0.9]:7000"
    assert part.machine.describe(at("[::1]:8080"), at("[::1]:9000")) is None
    assert part.machine.describe(at("127.0.0.1:8081"), at("127.0.0.1:9000")) is None
    part.machine.parted(met)
    part.machine.parted(met)
    assert part.machine.describe(at("127.0.0.1:8080"), at("127.0.0.1:9000")) is None
    assert part.bits.relayed == set()


def test_the_agent_goes() -> None:
    part = Listeners()
    part.held(7)
    waiting = part.listen(8, at("0.0.0.0:90"))
    part.machine.lost()

    assert part.fate(waiting) == "local"
    assert part.bits.own == {8080, 90}
    assert [part.fate(part.listen(inode)) for inode in (7, 9)] == ["local", "local"]
    part.machine.unsubscribed(80)
    part.machine.looked(frozenset({7, 8, 9}))
    assert part.none(LeavePort)


def test_the_agent_ends_a_subscription() -> None:
    part = Listeners()
    part.held(7)
    part.machine.unsubscribed(80)

    assert part.to(80, CLIENT) is None
    assert part.fate(part.listen(7)) == "local"


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 2)
    part = Listeners()
    for inode in (1, 2):
        part.listen(inode)
    assert part.fate(part.listen(3)) == "local"
