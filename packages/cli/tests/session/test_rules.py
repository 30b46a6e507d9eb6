"""Which side serves a path: each step of the order, the user's patterns, mappings, the default rules."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrord_cli.session.rules import Rules, Side, Verdict
from mirrord_cli.session.settings import Mode
from session_rules import file_rules, some_paths, some_rules

LOCAL, REMOTE, NOT_FOUND = Side.LOCAL, Side.REMOTE, Side.NOT_FOUND


def sides(path: bytes, **changes: Any) -> tuple[Side, Side]:
    """Whose a path is for reading and for changes."""
    rules = Rules(file_rules(**changes))
    return rules.decide(path, False).side, rules.decide(path, True).side


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (Mode.READ, (REMOTE, LOCAL)),
        (Mode.LOCAL_WITH_OVERRIDES, (LOCAL, LOCAL)),
        (Mode.LOCAL, (LOCAL, LOCAL)),
    ],
)
def test_modes(mode: Mode, expected: tuple[Side, Side]) -> None:
    assert sides(b"/srv/x", mode=mode) == expected


@pytest.mark.parametrize("mode", [Mode.READ, Mode.LOCAL_WITH_OVERRIDES])
def test_each_step_comes_before_the_next(mode: Mode) -> None:
    kube = b"/home/dev/.kube/config"
    everything = {"not_found": ("x$",), "read_only": (".",), "local": (".",)}

    assert sides(b"/srv/x", mode=mode, **everything) == (NOT_FOUND, NOT_FOUND)
    assert sides(b"/usr/y", mode=mode, **everything) == (REMOTE, LOCAL)
    assert sides(b"/etc/hosts", mode=mode, local=(".",)) == (LOCAL, LOCAL)
    assert sides(kube, mode=mode, local=(".",)) == (LOCAL, LOCAL)
    assert sides(kube, mode=mode, read_only=(".",)) == (REMOTE, LOCAL)
    assert sides(kube, mode=mode, working_directory=b"/home/dev/.kube") == (NOT_FOUND, NOT_FOUND)
    assert sides(b"/etc/hosts", mode=mode) == (REMOTE, LOCAL)


def test_mode_local_comes_before_patterns() -> None:
    assert sides(b"/srv/x", mode=Mode.LOCAL, not_found=(".",), read_only=(".",)) == (LOCAL, LOCAL)


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("tree", True),
        ("^/srv/SHOP/Tree", True),
        ("^tree", False),
        (r"\.txt$", True),
        (r"side\.tx$", False),
        (r"^/srv/(?!shop)", False),
        (r"(?<=tree)/[ab]/", True),
        (r"(s)hop/.*\1ide", True),
        ("(?x) ^/srv /shop  # ours", True),
    ],
)
def test_patterns_are_searched_without_case(pattern: str, matches: bool) -> None:
    expected = NOT_FOUND if matches else REMOTE

    assert sides(b"/srv/shop/tree/a/side.txt", not_found=("nothing", pattern, "(no)thing"))[0] is expected
    assert sides(b"/srv/shop/tree/a/side.txt", not_found=(pattern,))[0] is expected


def test_groups_keep_their_numbers() -> None:
    """Each pattern is one for itself, though they are searched at once."""
    patterns = (r"(a)/\1", r"(b)/\1", "(?i)c/c")

    assert [sides(b"/x/%s/" % middle, not_found=patterns)[0] for middle in (b"a/a", b"b/b", b"a/b", b"c/c")] == [
        NOT_FOUND, NOT_FOUND, REMOTE, NOT_FOUND,
    ]  # fmt: skip


def test_any_bytes_are_matched() -> None:
    assert sides(b"/srv/\xff/x", not_found=("^/srv/./x$",))[0] is NOT_FOUND
    assert sides("/srv/Ä/x".encode(), not_found=("^/srv/ä/x$",))[0] is NOT_FOUND
    assert sides("/srv/ılık.txt".encode(), not_found=(r"^/srv/\w+\.txt$", "no"))[0] is NOT_FOUND
    assert sides("/srv/ılık.txt".encode(), not_found=("ılık",))[0] is NOT_FOUND


def test_a_pattern_that_names_a_folder_matches_no_other() -> None:
    """Expressions without case have a few odd letters, and `$` a newline; the shared table has neither."""
    assert sides("/uſr/x".encode(), not_found=("^/usr",))[0] is REMOTE
    assert sides(b"/srv/x\n", not_found=("^/srv/x$",))[0] is REMOTE


@pytest.mark.parametrize(
    ("pattern", "replacement", "path", "mapped"),
    [
        (r"^/virtual/(?P<name>\w+)", "/srv/orders/${name}", b"/virtual/055.txt", b"/srv/orders/055.txt"),
        (r"^/(a+)/(b+)", "/$2/$1", b"/aa/bb/c", b"/bb/aa/c"),
        ("^/a", "/$$1", b"/a/b", b"/$1/b"),
        ("a", "x", b"/a/a", b"/x/a"),
        ("^/a(/b)?", "/c$1", b"/a", b"/c"),
        ("^/a/", "/srv//./", b"/a/b", b"/srv/b"),
        ("^/a", "srv", b"/a/b", b"/srv/b"),
        ("^/a/.*", "", b"/a/b", b"/"),
        (r"^/a/(.*)$", "/ü/$1", b"/a/\xff\xc4\xb1\n", "/ü/".encode() + b"\xff\xc4\xb1\n"),
    ],
)
def test_mapping(pattern: str, replacement: str, path: bytes, mapped: bytes) -> None:
    rules = Rules(file_rules(mapping=(("nothing", "/"), (pattern, replacement), (".*", "/second"))))

    verdict = rules.decide(path, False)

    assert (verdict.path, verdict.mapped) == (mapped, True)


def test_what_a_mapping_leads_to_is_decided_about() -> None:
    rules = Rules(file_rules(mapping=(("^/srv/mine", "/usr"), ("^/here", "/there")), not_found=("^/there/no",)))

    assert rules.decide(b"/srv/mine/x", False) == Verdict(LOCAL, b"/usr/x", True)
    assert rules.decide(b"/here/x", False) == Verdict(REMOTE, b"/there/x", True)
    assert rules.decide(b"/here/no", False) == Verdict(NOT_FOUND, b"/there/no", True)
    assert rules.decide(b"/other", False) == Verdict(REMOTE, b"/other", False)
    identity = Rules(file_rules(mapping=(("^/a", "/a"),)))
    assert identity.decide(b"/a/b", False) == Verdict(REMOTE, b"/a/b", False)


def test_relative_paths_know_not_found_patterns_alone() -> None:
    rules = Rules(file_rules(not_found=(r"\.secret$",), mapping=(("x", "y"),), read_only=(".",)))

    assert [rules.decide_relative(path) for path in (b"a/b.SECRET", b"x", b".secretly")] == [NOT_FOUND, LOCAL, LOCAL]


@pytest.mark.parametrize(
    ("path", "leaves"),
    [
        (b"/app/..", True),
        (b"/usr/../app", False),
        (b"/usr/../app/../etc", True),
        (b"/etc/ssl/certs/../x", True),
        (b"/usr/lib/..", False),
        (b"/app/x", False),
    ],
)
def test_leaving_a_remote_directory(path: bytes, leaves: bool) -> None:
    assert Rules(file_rules()).leaves_remote(path) is leaves


@given(some_rules, some_paths, st.booleans())
def test_deciding_is_the_same_each_time_and_changes_are_never_remote(rules: Any, path: bytes, changing: bool) -> None:
    decider = Rules(rules)

    first = decider.decide(path, changing)

    assert decider.decide(path, changing) == first
    assert decider.decide(path, True).side is not REMOTE
