"""The order in which an environment is put together, and what stays."""

from __future__ import annotations

from mirrord_cli.environment import Wishes, merge


def test_the_targets_variables_win_and_the_developers_own_stay() -> None:
    own = {b"A": b"mine", b"ONLY": b"here", b"PATH": b"/bin"}

    assert merge(own, {b"A": b"theirs", b"EMPTY": b""}, Wishes()) == {
        b"A": b"theirs", b"ONLY": b"here", b"PATH": b"/bin", b"EMPTY": b"",
    }  # fmt: skip


def test_what_must_never_come_does_not_even_if_an_agent_sends_it() -> None:
    assert merge({}, {b"LD_PRELOAD": b"x", b"PATH": b"/remote", b"A": b"1"}, Wishes()) == {b"A": b"1"}


def test_file_mapping_override_and_unset_in_that_order() -> None:
    wishes = Wishes(
        file={b"FILE": b"file", b"MAPPED": b"file", b"OVER": b"file", b"GONE": b"file"},
        mapping={"^MAP": b"mapped", "^OVER": b"mapped", "PED$": b"second"},
        override={b"OVER": b"ridden", b"GONE2": b"x"},
        unset=(b"gone", b"GONE2", b"Mine"),
    )

    merged = merge({b"MINE": b"m", b"MAPOWN": b"own"}, {b"FILE": b"remote", b"SNAPPED": b"r", b"OTHER": b"o"}, wishes)

    assert merged == {
        b"MAPOWN": b"own",
        b"FILE": b"file",
        b"MAPPED": b"mapped",
        b"SNAPPED": b"second",
        b"OVER": b"ridden",
        b"OTHER": b"o",
    }


def test_files_may_set_what_targets_may_not() -> None:
    assert merge({b"PATH": b"/bin"}, {}, Wishes(file={b"PATH": b"/mine"})) == {b"PATH": b"/mine"}


def test_mapping_minds_case_and_unset_does_not() -> None:
    wishes = Wishes(mapping={"a": b"mapped"}, unset=(b"B",))

    assert merge({b"b": b"x"}, {b"A": b"1", b"a": b"1"}, wishes) == {b"A": b"1", b"a": b"mapped"}


def test_bytes_that_are_no_text() -> None:
    remote = {b"\xff\n": b"\xfe", b"X": b"\xff"}

    assert merge({}, remote, Wishes()) == remote
    assert merge({}, remote, Wishes(mapping={"^\udcff": b"y"}, unset=(b"x",))) == {b"\xff\n": b"y"}
