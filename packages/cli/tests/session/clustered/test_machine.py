"""How long an agent is tried to be met: each trouble, before the cluster says that it runs and after."""

from __future__ import annotations

import pytest

from mirrord_cli.session.clustered.machine import LEAST, LEAST_ANEW, MOST, PASSES_WITHIN, Meeting, Trouble, trouble_of
from mirrord_cli.session.reaching.machine import ForwardFailed


@pytest.mark.parametrize(
    ("trouble", "before", "soon_after", "later", "too_late"),
    [
        (Trouble.UNHEARD, True, True, True, False),
        (Trouble.PASSING, True, True, False, False),
        (Trouble.ABSENT, True, False, False, False),
        (Trouble.CUT, True, False, False, False),
        (Trouble.LASTING, False, False, False, False),
    ],
)
def test_what_is_borne_with(trouble: Trouble, before: bool, soon_after: bool, later: bool, too_late: bool) -> None:
    meeting = Meeting(100)
    assert (meeting.failed(trouble, 399, 400) is not None) == before
    meeting.runs(400, 20)
    for at, expected in ((400.1, soon_after), (401 + PASSES_WITHIN, later), (420, too_late)):
        assert (meeting.failed(trouble, at, at) is not None) == expected


def test_an_attempt_from_before_the_news() -> None:
    meeting = Meeting(0)
    meeting.runs(5, 20)

    assert meeting.failed(Trouble.CUT, 4.9, 30) is not None
    assert meeting.failed(Trouble.LASTING, 4.9, 5) is None


@pytest.mark.parametrize(
    ("waited", "trouble", "seconds"),
    [
        (0, Trouble.UNHEARD, LEAST),
        (0, Trouble.ABSENT, LEAST_ANEW),
        (1, Trouble.UNHEARD, 0.1),
        (5, Trouble.ABSENT, 0.5),
        (600, Trouble.UNHEARD, MOST),
    ],
)
def test_pauses(waited: float, trouble: Trouble, seconds: float) -> None:
    assert Meeting(10).failed(trouble, 10 + waited, 10 + waited) == pytest.approx(seconds)


def test_pauses_are_short_again_once_it_runs() -> None:
    meeting = Meeting(0)
    assert meeting.failed(Trouble.UNHEARD, 60, 60) == MOST
    meeting.runs(61, 20)
    assert meeting.failed(Trouble.UNHEARD, 61, 61) == LEAST


def test_what_failures_are() -> None:
    assert trouble_of(ForwardFailed("cluster", "a", "b", passing=True)) is Trouble.PASSING
    assert trouble_of(ForwardFailed("cluster", "a", "b", absent=True)) is Trouble.ABSENT
    assert trouble_of(ForwardFailed("cluster", "a", "b")) is Trouble.LASTING
