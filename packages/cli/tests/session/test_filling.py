"""Which ranges of a large file are fetched, and when waiters go on."""

from __future__ import annotations

import random
from itertools import count

import pytest

from mirrord_cli.session.filling import (
    AT_ONCE,
    CLOSE_BY,
    WINDOW,
    Arrived,
    Complete,
    Effect,
    Fetch,
    Filling,
    Missing,
    Ranges,
    Stop,
)

MB = 1 << 20
HEAD = 128 << 10


def fetches(effects: list[Effect]) -> list[tuple[int, int]]:
    return [(effect.start, effect.end) for effect in effects if isinstance(effect, Fetch)]


def make(size: int = 100 * MB, head: int = HEAD) -> Filling:
    return Filling(size, head, count(1))


def test_ranges() -> None:
    ranges = Ranges()
    ranges.add(10, 20)
    ranges.add(30, 40)
    assert (ranges.around(9), ranges.around(10), ranges.around(19), ranges.around(20)) == (
        None, (10, 20), (10, 20), None,
    )  # fmt: skip
    assert ranges.gap(10, 20) is None
    assert ranges.gap(5, 50) == (5, 10)
    assert ranges.gap(10, 50) == (20, 30)
    assert ranges.gap(40, 50) == (40, 50)

    ranges.add(20, 30)
    ranges.add(5, 5)

    assert ranges.around(10) == (10, 40)
    assert ranges.around(5) is None


def test_ranges_are_as_a_set_of_bytes() -> None:
    rng = random.Random(1)
    for _ in range(300):
        ranges, truth = Ranges(), set[int]()
        for _ in range(12):
            start = rng.randrange(40)
            end = start + rng.randrange(10)
            ranges.add(start, end)
            truth |= set(range(start, end))
            start, end = sorted((rng.randrange(50), rng.randrange(50)))
            gap = ranges.gap(start, end)
            missing = [at for at in range(start, end) if at not in truth]
            assert (gap[0] if gap else None) == (missing[0] if missing else None)
            if gap:
                assert not truth & set(range(*gap))
                assert gap[1] == end or gap[1] in truth


def test_the_beginning_is_fetched_no_further_until_someone_reads_on() -> None:
    filling = make()

    assert filling.wait(1, 0, 4096) == [Arrived(1, 0, HEAD)]
    assert filling.wait(2, 4096, HEAD) == [Arrived(2, 0, HEAD)]
    assert fetches(filling.wait(3, HEAD, HEAD + 1)) == [(HEAD, HEAD + WINDOW)]


def test_the_next_window_comes_before_the_reader_needs_it() -> None:
    filling = make()
    filling.wait(1, HEAD, HEAD + 4096)
    effects = filling.arrived(1, WINDOW // 4)
    assert effects == [Arrived(1, 0, HEAD + WINDOW // 4)]
    filling.arrived(1, WINDOW // 2)

    effects = filling.wait(2, HEAD + WINDOW // 4, HEAD + WINDOW // 4 + 1)

    assert effects == [Arrived(2, 0, HEAD + WINDOW * 3 // 4), Fetch(2, HEAD + WINDOW, HEAD + 2 * WINDOW)]


def test_the_last_window_ends_with_the_file() -> None:
    filling = make(HEAD + 5)

    assert fetches(filling.wait(1, HEAD, HEAD + 4096)) == [(HEAD, HEAD + 5)]
    assert filling.arrived(1, 5) == [Arrived(1, 0, HEAD + 5), Complete()]
    assert filling.complete


def test_here_and_there() -> None:
    """A range far away is fetched alone; the further someone reads on there, the more."""
    filling = make()

    assert fetches(filling.wait(1, 50 * MB, 50 * MB + 10)) == [(50 * MB, 50 * MB + CLOSE_BY)]
    filling.arrived(1, CLOSE_BY)
    at = 50 * MB + CLOSE_BY
    assert fetches(filling.wait(2, at, at + 10)) == [(at, at + 2 * CLOSE_BY)]
    at += 2 * CLOSE_BY
    assert fetches(filling.arrived(2, 2 * CLOSE_BY)) == [(at, at + 6 * CLOSE_BY)]


def test_all_at_once() -> None:
    """A mapping of the whole file: windows behind each other, never too many."""
    filling = make()
    coming = fetches(filling.wait(1, 0, 100 * MB))
    assert coming == [(HEAD, HEAD + WINDOW), (HEAD + WINDOW, HEAD + 2 * WINDOW)]
    assert sum(end - start for start, end in coming) <= AT_ONCE

    number, effects = 1, list[Effect]()
    while not filling.complete:
        effects = filling.arrived(number, WINDOW)
        number += 1

    assert effects == [Arrived(1, 0, 100 * MB), Complete()]


def test_several_waiters() -> None:
    filling = make()
    first = filling.wait(1, HEAD, HEAD + 10)
    second = filling.wait(2, HEAD + 5, HEAD + 10)
    third = filling.wait(3, 90 * MB, 90 * MB + 10)

    assert (len(fetches(first)), len(fetches(second)), len(fetches(third))) == (1, 0, 1)
    assert filling.waited_for
    assert filling.arrived(1, 10) == [Arrived(1, 0, HEAD + 10), Arrived(2, 0, HEAD + 10)]
    assert [each for each in filling.arrived(2, 10) if isinstance(each, Arrived)] == [Arrived(3, 90 * MB, 90 * MB + 10)]


def test_nothing_is_fetched_twice() -> None:
    filling = make(4 * MB, 0)
    filling.wait(1, 2 * MB, 2 * MB + 10)

    assert fetches(filling.wait(2, 0, 4 * MB)) == [(0, 2 * MB), (2 * MB + CLOSE_BY, 4 * MB)]


def test_failure() -> None:
    filling = make()
    filling.wait(1, HEAD, HEAD + 10)
    filling.arrived(1, 5)

    assert filling.ended(1) == [Stop(1), Missing(1)]
    assert filling.wait(2, HEAD, HEAD + 5) == [Arrived(2, 0, HEAD + 5)]
    assert filling.wait(3, HEAD, HEAD + 6) == [Missing(3)]
    assert filling.arrived(1, 5) == []
    assert not filling.complete


def test_stopped_and_begun_anew() -> None:
    filling = make()
    filling.wait(1, HEAD, HEAD + 10)
    filling.arrived(1, 100)

    assert filling.stop() == [Stop(1)]
    assert filling.arrived(1, 100) == []
    assert filling.ended(1) == []
    assert fetches(filling.wait(2, HEAD + 100, HEAD + 110)) == [(HEAD + 100, HEAD + 100 + WINDOW)]


def test_beyond_the_end() -> None:
    filling = make(HEAD + 10)

    assert filling.wait(1, HEAD + 10, HEAD + 20) == [Arrived(1, HEAD + 10, HEAD + 10)]
    assert filling.wait(2, 1 << 63, (1 << 64) - 1) == [Arrived(2, HEAD + 10, HEAD + 10)]


@pytest.mark.parametrize("seed", range(30))
def test_whoever_waits_gets_what_is_there_and_nothing_else(seed: int) -> None:
    """Any order of waits and arrivals: all waiters are answered, only with bytes that arrived, none fetched twice."""
    rng = random.Random(seed)
    size = rng.choice([1, 5 * MB, 40 * MB, 90 * MB])
    filling = make(size, min(size, HEAD))
    there = [(0, min(size, HEAD))]
    coming: dict[int, list[int]] = {}
    waiting: dict[int, tuple[int, int]] = {}

    def take(effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Fetch(number, start, end):
                    assert start < end <= size
                    assert all(end <= other[0] or start >= other[1] for other in coming.values())
                    assert all(end <= first or start >= last for first, last in there)
                    coming[number] = [start, end]
                case Arrived(number, start, end):
                    wanted = waiting.pop(number)
                    assert start <= wanted[0] and min(wanted[1], size) <= max(end, wanted[0])
                    at = start
                    for first, last in sorted(there):
                        at = max(at, last) if first <= at else at
                    assert at >= end
                case Complete():
                    assert not waiting

    for number in range(1, 60):
        start = rng.choice([0, rng.randrange(size), rng.randrange(size)])
        waiting[number] = (start, start + rng.choice([1, 4096, MB, size]))
        take(filling.wait(number, *waiting[number]))
        for _ in range(rng.randrange(3)):
            if coming:
                deliver(rng, filling, coming, there, take)
    while coming:
        deliver(rng, filling, coming, there, take)
    assert not waiting


def deliver(
    rng: random.Random, filling: Filling, coming: dict[int, list[int]], there: list[tuple[int, int]], take: object
) -> None:
    number = rng.choice(list(coming))
    start, end = coming[number]
    size = min(end - start, rng.choice([65536, 5 * MB]))
    there.append((start, start + size))
    coming[number][0] += size
    if coming[number][0] == end:
        del coming[number]
    take(filling.arrived(number, size))  # type: ignore[operator]
