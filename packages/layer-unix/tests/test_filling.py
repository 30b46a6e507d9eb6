"""Files that are being filled, and files read by request: no program ever reads a byte that isn't there yet."""

from __future__ import annotations

from array import array
from pathlib import Path

import pytest

from layer_programs import Both
from layer_session import Session

pytestmark = pytest.mark.programs

WORD = 0x0101010101010101
SIZE = 2_500_003

BOTH_KINDS = [
    "in_order",
    "at_random",
    "vectors",
    "statuses",
    "sent",
    "asynchronous",
    "opened_stream",
    "stream_of_descriptor",
    "reopened_stream",
    "stream_by_name",
    "duplicated_input",
    "opened_input",
    "inherited",
    "threads",
    "forked",
    "interrupted",
]


def write_content(path: Path) -> None:
    """What programs/content.h expects."""
    path.write_bytes(array("Q", range(WORD, WORD + SIZE + 8, 8)).tobytes()[:SIZE])


@pytest.mark.parametrize("case", [*BOTH_KINDS, "mapped", "copied", "sought"])
def test_filling(run_both: Both, session: Session, truth: Path, case: str) -> None:
    write_content(truth / "large")
    session.remote.head = 128 * 1024

    run_both("filling", "large", case)

    assert session.remote.questions("WAIT") or case in {"statuses", "sought"}


@pytest.mark.parametrize("case", BOTH_KINDS)
def test_by_request(run_both: Both, session: Session, truth: Path, case: str) -> None:
    write_content(truth / "request")
    session.remote.request_names = {"request"}

    run_both("filling", "request", case)

    assert session.remote.questions("READ") or case == "statuses"


@pytest.mark.parametrize("case", BOTH_KINDS)
def test_under_musl(run_musl: Both, session: Session, truth: Path, case: str) -> None:
    for name in ("large", "request"):
        write_content(truth / name)
    session.remote.request_names = {"request"}

    run_musl("filling", "large", case)
    run_musl("filling", "request", case)
