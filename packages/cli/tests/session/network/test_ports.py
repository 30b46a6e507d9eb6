"""Bits of ports, for as long as there is a reason."""

from __future__ import annotations

from session_network import Part


def test_reasons_are_counted() -> None:
    part = Part()
    for _ in range(2):
        part.ports.add_own(80)
        part.ports.add_relayed(65535)
    part.ports.remove_own(80)
    part.ports.remove_relayed(65535)

    assert part.ports.owns(80)
    assert (part.bits.own, part.bits.relayed) == ({80}, {65535})

    part.ports.remove_own(80)
    part.ports.remove_relayed(65535)
    assert not part.ports.owns(80)
    assert (part.bits.own, part.bits.relayed) == (set(), set())


def test_counters() -> None:
    part = Part()
    part.ports.count_relay()
    part.ports.count_relay()
    part.ports.count_relayed_datagrams()

    assert (part.bits.relays, part.bits.relayed_datagrams) == (2, 1)
