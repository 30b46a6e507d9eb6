"""What people are told, and how often."""

from __future__ import annotations

from mirrord_cli.session.notices import Notices
from mirrord_protocol.layer_values import LayerNotice


def test_each_program_is_named_once() -> None:
    notices = Notices()

    first = notices.text(LayerNotice.GO, b"/usr/bin/kubectl")

    assert first.startswith(b"mirrord: kubectl is written in Go")
    assert first.endswith(b"\n")
    assert notices.text(LayerNotice.GO, b"/usr/bin/kubectl") == b""
    assert b"linked statically" in notices.text(LayerNotice.STATIC, b"/bin/other")
    assert b"set-user-ID" in notices.text(LayerNotice.PRIVILEGED, b"/bin/sudo")


def test_what_is_no_notice() -> None:
    assert Notices().text(77, b"/bin/x") == b""


def test_a_name_is_one_line_of_text() -> None:
    text = Notices().text(LayerNotice.STATIC, b"/bin/a\nb\x1b[1m\xff")

    assert text.count(b"\n") == 1
    assert b"\x1b" not in text
    assert b"a?b?[1m" in text


def test_the_agents_loss_is_told_once() -> None:
    notices = Notices()
    notices.lost("it was killed")
    notices.lost("again")

    assert notices.text(LayerNotice.STATIC, b"/x").count(b"\n") == 2
    assert notices.text(LayerNotice.STATIC, b"/x") == b""
