"""Categories and their exit codes."""

from __future__ import annotations

import pytest

from mirrord_cli.errors import EXIT_CODES, INTERRUPTED, MirrordError


def test_each_category_has_a_code_of_its_own_that_no_shell_uses() -> None:
    codes = set(EXIT_CODES.values())

    assert set(EXIT_CODES) == {"you", "configuration", "cluster", "us"}
    assert len(codes) == 4
    assert not codes & {0, 1, 2, 126, 127}
    assert all(code < 128 for code in codes)
    assert INTERRUPTED == 130


def test_an_error_has_its_categorys_code_unless_another_is_given() -> None:
    assert MirrordError("configuration", "text", "next").exit_code == 78
    assert MirrordError("you", "text", "next", 127).exit_code == 127
    assert str(MirrordError("us", "text", "next")) == "text"


def test_an_unknown_category_is_a_defect() -> None:
    with pytest.raises(KeyError):
        MirrordError("them", "text", "next")
