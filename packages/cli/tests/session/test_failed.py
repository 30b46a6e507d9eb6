"""What is said of a session that doesn't start."""

from __future__ import annotations

from mirrord_cli.session.failed import SessionFailed


def test_it_says_what_a_person_needs() -> None:
    failed = SessionFailed("you", "No rights.", "Be root.")

    assert (str(failed), failed.category, failed.next_step) == ("No rights.", "you", "Be root.")
