"""Patterns as mirrord's files write them."""

from __future__ import annotations

import re

import pytest

from mirrord_cli.config.patterns import BadPattern, check_replacement, translate


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"^/srv/(?<name>\w+)$", "/srv/a"),
        (r"^/srv/(?P<name>\w+)$", "/SRV/a"),
        (r"a(?<=a)b(?<!a)\z", "ab"),
        (r"\(\?<n>", "(?<n>"),
        (r"(?!x)[[(]", "["),
        (r"\\\z", "\\"),
    ],
)
def test_what_both_mean(pattern: str, text: str) -> None:
    assert re.search(translate(pattern), text, re.IGNORECASE)


@pytest.mark.parametrize("pattern", ["(", "a**", "[", "(?<1>x)", r"\p{L}"])
def test_what_cannot_be_compiled(pattern: str) -> None:
    with pytest.raises(BadPattern):
        translate(pattern)


def test_replacements_refer_to_groups_that_are_there() -> None:
    for replacement in ("/a/$1", "/a/${1}", "/a/${name}/x", "/a/$name", "$0", "$$1", "$", "${}"):
        check_replacement("^/(?P<name>x)", replacement)
    for replacement in ("$2", "${other}", "$1a"):
        with pytest.raises(BadPattern, match="group"):
            check_replacement("^/(?P<name>x)", replacement)
