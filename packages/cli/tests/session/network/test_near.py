"""Which datagram sockets of programs are on this machine."""

from __future__ import annotations

from mirrord_cli.session.actions import Action
from mirrord_cli.session.network.actions import WatchDatagrams
from mirrord_cli.session.network.near import MOST, Near

NOBODY: frozenset[int] = frozenset()


def test_is_known_until_it_is_gone() -> None:
    actions: list[Action] = []
    near = Near(actions)
    near.add(7, 4000)
    near.add((1 << 32) + 8, 4000)
    assert actions == [WatchDatagrams()]
    assert (near.owns(4000), near.owns(4001), near.watches) == (True, False, True)
    near.looked(frozenset({8}))
    near.looked(frozenset({8}))
    assert near.owns(4000)
    near.looked(NOBODY)
    near.looked(frozenset({8}))
    near.looked(NOBODY)
    assert near.owns(4000)
    near.looked(NOBODY)
    assert (near.owns(4000), near.watches) == (False, False)
    near.add(9, 4001)
    assert actions == [WatchDatagrams()] * 2


def test_has_one_port_at_a_time() -> None:
    near = Near([])
    near.add(7, 4000)
    near.add(7, 4001)
    assert (near.owns(4000), near.owns(4001)) == (False, True)


def test_are_bounded() -> None:
    near = Near([])
    for inode in range(1, MOST + 2):
        near.add(inode, inode)
    assert (near.owns(1), near.owns(2), near.owns(MOST + 1)) == (False, True, True)
