"""Directories above local paths are this machine's where the target has none."""

from __future__ import annotations

from mirrord_cli.session.actions import Action, Answer, AnswerStream
from mirrord_cli.session.leading import KEPT, Leading
from mirrord_cli.session.settings import FileRules
from mirrord_protocol.layer_values import LayerOutcome, LayerReply

FILES = FileRules(
    home=b"/users/me", working_directory=b"/code/shop", temporary=b"/tmp", executable=b"/apps/x/run",
    installations=(b"/apps/y/lib",),
)  # fmt: skip
ABSENT = Answer(1, LayerReply(LayerOutcome.FAILED, errno="ENOENT"))
LOCAL = Answer(1, LayerReply(LayerOutcome.LOCAL))


def corrected(leading: Leading, path: bytes, answer: Action = ABSENT, moved: bytes = b"") -> Action:
    leading.asked(1, path, moved)
    return leading.correct(answer)


def test_above_the_programs_own_folders() -> None:
    leading = Leading(FILES)

    for path in (b"/", b"/users", b"/code", b"/apps", b"/apps/x", b"/apps/y"):
        assert corrected(leading, path) == LOCAL
    for path in (b"/srv", b"/coder", b"/users/you"):
        assert corrected(leading, path) == ABSENT


def test_above_what_was_found_local() -> None:
    leading = Leading(FILES)
    assert corrected(leading, b"/srv/scripts") == ABSENT
    leading.met(b"/srv/scripts/app.js")

    assert corrected(leading, b"/srv/scripts") == LOCAL
    assert corrected(leading, b"/srv") == LOCAL
    assert corrected(leading, b"/srv/scripts/app.js") == ABSENT


def test_what_the_target_has_is_the_targets() -> None:
    leading = Leading(FILES)
    for reply in (LayerReply(LayerOutcome.DONE), LayerReply(LayerOutcome.FAILED, errno="EACCES")):
        assert corrected(leading, b"/code", Answer(1, reply)) == Answer(1, reply)
    stream = AnswerStream(1, LayerReply(LayerOutcome.DONE), 1)
    assert corrected(leading, b"/code", stream) == stream


def test_a_moved_path_is_named() -> None:
    moved = Answer(1, LayerReply(LayerOutcome.LOCAL, payload=5), b"/code")

    assert corrected(Leading(FILES), b"/code", moved=b"/code") == moved


def test_a_channels_number_is_forgotten_with_its_answer() -> None:
    leading = Leading(FILES)
    corrected(leading, b"/code")

    assert leading.correct(ABSENT) == ABSENT


def test_memory_is_bounded() -> None:
    leading = Leading(FILES)
    for number in range(KEPT + 10):
        leading.met(b"/srv/%d/x" % number)

    assert corrected(leading, b"/srv/0") == ABSENT
    assert corrected(leading, b"/srv/%d" % (KEPT + 9)) == LOCAL
