"""A large file's filling: what is fetched, who is told when."""

from __future__ import annotations

from itertools import count

from mirrord_cli.session.filling import Arrived, Complete, Fetch, Filling


def test_file_is_complete_before_who_waited_for_all_of_it_is_told() -> None:
    """It may be a program, which can't be run while somebody may write it."""
    filling = Filling(1 << 20, 0, count(1))
    fetches = [effect for effect in filling.wait(7, 0, 1 << 20) if isinstance(effect, Fetch)]
    effects = [effect for fetch in fetches for effect in filling.arrived(fetch.fetch, fetch.end - fetch.start)]

    assert effects == [Complete(), Arrived(7, 0, 1 << 20)]
