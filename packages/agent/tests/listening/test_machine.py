"""Who is let in: the first with the token, and of the others only so many at once."""

from __future__ import annotations

from mirrord_agent.listening.machine import BUSY, SILENT, STRANGERS, Door, nobody, worth_a_line
from mirrord_protocol.values import FailureKind


def test_the_first_with_the_token_is_the_session() -> None:
    door = Door()
    assert door.come(0) is None
    assert door.admit(0) is None
    door.come(1)
    assert door.admit(1) == BUSY
    door.leave(0)
    assert door.admit(2) == BUSY  # also when it is gone


def test_who_waits_longest_makes_room() -> None:
    door = Door()
    assert [door.come(number) for number in range(STRANGERS)] == [None] * STRANGERS
    assert door.come(STRANGERS) == 0
    door.leave(1)
    door.leave(0)
    assert door.come(STRANGERS + 1) is None
    assert door.come(STRANGERS + 2) == 2


def test_the_session_is_no_stranger_any_more() -> None:
    door = Door()
    door.come(0)
    assert door.admit(0) is None
    assert all(door.come(number) is None for number in range(1, STRANGERS + 1))
    assert door.come(STRANGERS + 1) == 1


def test_who_is_silent_is_no_stranger_yet() -> None:
    door = Door()
    assert [door.knock(number) for number in range(SILENT)] == [None] * SILENT
    assert door.come(1) is None
    assert door.knock(SILENT) is None  # in place of the one who speaks now
    assert door.knock(SILENT + 1) == 0
    door.leave(2)
    assert door.knock(SILENT + 2) is None
    assert door.knock(SILENT + 3) == 3
    assert not door.taken


def test_few_lines_for_many() -> None:
    assert [count for count in range(1, 100) if worth_a_line(count)] == [1, 2, 4, 8, 16, 32, 64]


def test_nobody_came() -> None:
    assert nobody(30.0).text == "no session has come within 30 s"
    assert nobody(30.0).kind == FailureKind.GONE
