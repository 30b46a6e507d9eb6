"""How long an agent is tried to be met: each trouble, before the cluster says that it runs and after."""

from __future__ import annotations

import pytest

from mirrord_cli.session.clustered.machine import LEAST, LEAST_ANEW, MOST, Meeting, Trouble, trouble_of
from mirrord_cli.session.reaching.machine import ForwardFailed


@pytest.mark.parametrize(
    ("trouble", "before", "soon_after", "late"),
    [
        (Trouble.UNHEARD, True, True, False),
        (Trouble.PASSING, True, True, True),
        (Trouble.ABSENT, True, False, False),
        (Trouble.CUT, True, False, False),
        (Trouble.LASTING, False, False, False),
    ],
)
def test_what_is_borne_with(trouble: Trouble, before: bool, soon_after: bool, late: bool) -> None:
    for at, runs, expected in ((400, False, before), (400.1, True, soon_after), (420, True, late)):
        meeting = Meeting(100)
        if runs:
            meeting.runs(400, 20)
        assert (meeting.failed(trouble, at, at, anew=False) is not None) == expected


def test_an_attempt_from_before_the_news() -> None:
    meeting = Meeting(0)
    meeting.runs(5, 20)

    assert meeting.failed(Trouble.CUT, 4.9, 30, anew=False) is not None
    assert meeting.failed(Trouble.LASTING, 4.9, 5, anew=False) is None


def test_what_passes() -> None:
    """In a row; each try may take long, and whatever else comes begins it anew."""
    meeting = Meeting(0)
    meeting.runs(0, 20)
    passes = [meeting.failed(Trouble.PASSING, at, at, anew=True) is not None for at in (1, 1.5, 1.9, 2.1)]
    assert passes == [True, True, True, False]

    assert meeting.failed(Trouble.UNHEARD, 3, 3, anew=False) is not None
    slow = [meeting.failed(Trouble.PASSING, at, at, anew=True) is not None for at in (13, 23, 33)]
    assert slow == [True, True, False]


@pytest.mark.parametrize(
    ("waited", "anew", "seconds"),
    [(0, False, LEAST), (0, True, LEAST_ANEW), (1, False, 0.1), (5, True, 0.5), (600, False, MOST)],
)
def test_pauses(waited: float, anew: bool, seconds: float) -> None:
    assert Meeting(10).failed(Trouble.UNHEARD, 10 + waited, 10 + waited, anew=anew) == pytest.approx(seconds)


def test_pauses_are_short_again_once_it_runs() -> None:
    meeting = Meeting(0)
    assert meeting.failed(Trouble.UNHEARD, 60, 60, anew=False) == MOST
    meeting.runs(61, 20)
    assert meeting.failed(Trouble.UNHEARD, 61, 61, anew=False) == LEAST


def test_what_failures_are() -> None:
    assert trouble_of(ForwardFailed("cluster", "a", "b", passing=True)) is Trouble.PASSING
    assert trouble_of(ForwardFailed("cluster", "a", "b", absent=True)) is Trouble.ABSENT
    assert trouble_of(ForwardFailed("cluster", "a", "b")) is Trouble.LASTING
