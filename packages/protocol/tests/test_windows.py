"""Windows: their first size, their growth and shrinking, and the budget that all of a session have together."""

from __future__ import annotations

from mirrord_protocol.windows import DATAGRAMS, FIRST, LEAST, MOST, MOST_IDS, SHARE, Windows

FAST = 0.0005
SLOW = 1.0


def grown(windows: Windows, window: int, times: int) -> int:
    for _ in range(times):
        window = windows.resized(window, window, FAST, FAST)
    return window


def test_the_first_ones_are_full() -> None:
    windows = Windows()

    assert [windows.open() for _ in range(10)] == [FIRST] * 10
    assert windows.total == 10 * FIRST


def test_many_become_small_and_stay_within_the_budget() -> None:
    windows = Windows()
    opened = [windows.open() for _ in range(MOST_IDS)]

    assert opened == sorted(opened, reverse=True)
    assert opened[-1] == LEAST
    assert windows.total <= 64 << 20
    for window in opened:
        windows.close(window)
    assert windows.open() == FIRST


def test_datagrams_have_room_for_the_largest() -> None:
    windows = Windows()
    while windows.open() > LEAST:
        pass

    assert windows.open(DATAGRAMS) == DATAGRAMS >= 2 * (24 + 65_507) - 24 - 65_507


def test_a_consumer_that_keeps_up_gets_more_up_to_a_limit() -> None:
    windows = Windows()
    window = windows.open()

    assert windows.resized(window, window // 2, 0.010, 0.010) == 2 * window
    assert grown(windows, 2 * window, 20) == MOST == windows.total


def test_a_consumer_that_does_not_keep_up_keeps_what_it_has() -> None:
    windows = Windows()
    window = windows.open()

    assert windows.resized(window, window // 2, SLOW, 0.010) == window
    assert windows.resized(window, window // 2, SLOW, None) == window
    assert windows.resized(window, window // 2 - 1, FAST, 0.010) == window


def test_growth_leaves_something_for_others() -> None:
    windows = Windows()
    for _ in range(100):
        grown(windows, windows.open(), 20)

    assert SHARE // 2 < windows.total <= SHARE


def test_large_ones_shrink_when_the_budget_is_nearly_gone() -> None:
    windows = Windows()
    large = grown(windows, windows.open(), 4)
    while windows.total <= SHARE - SHARE // 8:
        windows.open()
    before = windows.total

    assert windows.resized(large, large, FAST, FAST) == large // 2
    assert windows.total == before - large // 2
    assert windows.resized(FIRST, FIRST, FAST, FAST) == FIRST
