"""What a program gets in the place of an address that it can't have."""

from __future__ import annotations

import pytest

from mirrord_cli.session.network import binding as module
from mirrord_cli.session.network.actions import TryBind
from mirrord_cli.session.network.binding import Binding
from mirrord_protocol.network_values import Address
from session_network import Part, at, shown, unpacked

WANTED = at("0.0.0.0:8080")


class Binds(Part):
    def __init__(self) -> None:
        super().__init__()
        self.listening: set[int] = set()
        self.chosen: dict[int, int] = {}
        self.machine = Binding(self.actions, self.decide, self.chosen.get, self.listening.__contains__)

    def decide(self, address: Address) -> int | None:
        return None if address.port in {0, 9} else address.port

    def bind(self, wanted: Address = WANTED, *, datagram: bool = False) -> int:
        channel = next(self.channels)
        self.machine.bind(channel, wanted, datagram=datagram, ipv6_only=False)
        return channel

    def tries(self) -> list[str]:
        """What is tried for the errnos that these are tried after."""
        [action] = [each for each in self.actions if isinstance(each, TryBind)]
        return [f"{shown(each.address)}{'+' * each.shared}" for each in action.attempts]

    def moved(self, bound: Address | str, wanted: Address = WANTED) -> str | tuple[str, ...]:
        channel = self.bind(wanted)
        self.machine.tried(self.take(TryBind).bind, bound)
        reply, payload = self.answer(channel)
        return unpacked(payload) if payload else reply.errno or "local"


def test_a_port_that_another_has() -> None:
    part = Binds()
    channel = part.bind()
    assert part.tries() == ["0.0.0.0:8080", "0.0.0.0:0", "127.0.0.1:8080", "127.0.0.1:0"]
    part.machine.tried(part.take(TryBind).bind, at("0.0.0.0:41000"))

    assert unpacked(part.answer(channel)[1]) == ("0.0.0.0:41000",)
    assert part.machine.wanted(at("0.0.0.0:41000")) == WANTED
    assert part.machine.wanted(at("0.0.0.0:41001")) == at("0.0.0.0:41001")
    assert part.machine.moved(8080) is None  # nobody listens yet
    part.listening.add(41000)
    assert part.machine.moved(8080) == 41000


def test_it_stays_where_it_was_moved_to() -> None:
    """For those who share it, and for a program that is started again."""
    part = Binds()
    part.moved(at("0.0.0.0:41000"))
    part.bind()
    assert part.tries()[:2] == ["0.0.0.0:8080", "0.0.0.0:41000+"]
    assert len(part.tries()) == 5
    part.actions.clear()
    part.listening.add(41000)
    channel = part.bind()
    assert part.tries() == ["0.0.0.0:8080", "0.0.0.0:41000+"]
    part.machine.tried(part.take(TryBind).bind, "EADDRINUSE")
    assert part.fate(channel) == "local"  # by one of ours: the error is right


def test_the_port_is_free_again() -> None:
    part = Binds()
    part.moved(at("0.0.0.0:41000"))
    assert part.moved(WANTED) == ("0.0.0.0:8080",)
    part.listening.add(41000)
    assert part.machine.moved(8080) is None


def test_a_program_of_ours_has_it() -> None:
    part = Binds()
    part.listening.add(8080)
    assert part.fate(part.bind()) == "local"
    part.moved(at("0.0.0.0:8080"), at("0.0.0.0:80"))  # a listener for another port
    part.bind()
    part.take(TryBind)


def test_an_address_of_the_targets() -> None:
    part = Binds()
    assert part.moved(at("127.0.0.1:8080"), at("10.0.0.2:8080")) == ("127.0.0.1:8080",)
    assert part.machine.wanted(at("127.0.0.1:8080")) == at("10.0.0.2:8080")
    part.bind(at("[::ffff:10.0.0.2]:8080"))
    assert part.tries()[-2:] == ["[::ffff:127.0.0.1]:8080", "[::ffff:127.0.0.1]:0"]
    part.actions.clear()
    part.bind(at("[fd00::2]:8080"))
    assert part.tries()[-2:] == ["[::1]:8080", "[::1]:0"]


@pytest.mark.parametrize(("wanted", "datagram"), [("10.0.0.2:0", False), ("10.0.0.2:53", True), ("10.0.0.2:9", False)])
def test_what_is_not_reached_from_outside(wanted: str, datagram: bool) -> None:
    part = Binds()
    part.bind(at(wanted), datagram=datagram)
    port = wanted.rpartition(":")[2]

    assert part.tries() == [wanted, f"0.0.0.0:{port}", "0.0.0.0:0"]


def test_a_port_that_the_user_chose() -> None:
    part = Binds()
    part.chosen[8080] = 18080
    part.bind()
    assert part.tries() == ["0.0.0.0:18080+"]
    part.actions.clear()
    assert part.moved(at("0.0.0.0:18080")) == ("0.0.0.0:18080",)
    assert part.machine.wanted(at("0.0.0.0:18080")) == WANTED
    assert part.moved("EADDRINUSE") == "EADDRINUSE"


def test_none_can_be_had() -> None:
    assert Binds().moved("EACCES") == "local"


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 2)
    part = Binds()
    for port in range(1, 4):
        part.moved(at(f"0.0.0.0:{41000 + port}"), at(f"0.0.0.0:{100 + port}"))

    wanted = [part.machine.wanted(at(f"0.0.0.0:{41000 + port}")).port for port in range(1, 4)]
    assert wanted == [41001, 102, 103]
