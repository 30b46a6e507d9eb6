"""What layers may decide alone: never otherwise than the rules, and enough to be worth it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrord_cli.session.paths import is_below
from mirrord_cli.session.prefixes import MOST, Prefix, PrefixVerdict, derive_prefixes
from mirrord_cli.session.rules import Rules, Side, Verdict
from mirrord_cli.session.settings import FileRules, Mode
from session_rules import NAMES, PATTERNS, file_rules, some_paths, some_rules


def verdict(prefixes: list[Prefix], path: bytes) -> PrefixVerdict | None:
    """What a layer finds."""
    return next((prefix.verdict for prefix in prefixes if is_below(path.lower(), prefix.text)), None)


def is_local(path: bytes, **changes: Any) -> bool:
    return verdict(derive_prefixes(file_rules(**changes)), path) is PrefixVerdict.LOCAL


@settings(max_examples=1000, deadline=None)
@given(some_rules, st.lists(some_paths, max_size=30))
def test_never_otherwise_than_the_rules(files: FileRules, paths: list[bytes]) -> None:
    rules, prefixes = Rules(files), derive_prefixes(files)

    for path in paths:
        if verdict(prefixes, path) is PrefixVerdict.LOCAL:
            assert {rules.decide(path, changing) for changing in (False, True)} == {Verdict(Side.LOCAL, path, False)}


@pytest.mark.parametrize("pattern", [*PATTERNS, ""])
@pytest.mark.parametrize("mode", list(Mode))
def test_every_pattern_alone(mode: Mode, pattern: str) -> None:
    files = file_rules(mode=mode, not_found=(pattern,) if pattern else ())
    rules, prefixes = Rules(files), derive_prefixes(files)
    folders = [b"/", b"/usr/", b"/usr/share/", b"/etc/", b"/etc/ssl/", b"/home/dev/", b"/home/dev/.config/", b"/data/"]

    for path in (folder + name for folder in folders for name in NAMES):
        if verdict(prefixes, path) is PrefixVerdict.LOCAL:
            assert {rules.decide(path, changing).side for changing in (False, True)} == {Side.LOCAL}


def test_systems_folders_need_no_question() -> None:
    for path in (
        b"/usr",
        b"/usr/lib/x",
        b"/etc/passwd",
        b"/proc/self/maps",
        b"/tmp/x",
        b"/home/dev/x",
        b"/code/shop/x",
    ):
        assert is_local(path)
        assert is_local(path, read_only=("^/srv",), mapping=(("^/virtual/", "/srv/"),))
    for path in (b"/etc/hosts", b"/etc/ssl/certs/x", b"/home/dev/.kube/config", b"/srv/x", b"/"):
        assert not is_local(path)


def test_a_pattern_in_a_local_folder_takes_no_more_than_it_must() -> None:
    changes = {"read_only": ("^/usr/share/shop(/|$)", r"^/etc/nginx/")}

    assert not is_local(b"/usr/share/shop/x", **changes)
    assert is_local(b"/usr/share/shops", **changes)
    assert not is_local(b"/etc/nginx/x", **changes)
    assert is_local(b"/etc/passwd", **changes)
    assert not is_local(b"/usr/share/shops", read_only=("^/usr/share/shop",))
    assert is_local(b"/usr/lib/x", read_only=("^/usr/share/shop",))


@pytest.mark.parametrize("pattern", ["passwd", "^/(usr|srv)", "^/x|y", "(?i)^/srv", r"^\w+/x"])
@pytest.mark.parametrize("key", ["read_only", "not_found", "mapping"])
def test_a_pattern_that_may_be_found_anywhere_leaves_nothing(key: str, pattern: str) -> None:
    value: Any = ((pattern, "/x"),) if key == "mapping" else (pattern,)

    assert derive_prefixes(file_rules(**{key: value})) == []


def test_local_patterns_that_name_a_folder_add_to_it() -> None:
    patterns = (r"^/srv/cache(/|$)", "^/opt/a", r"^/x/.*\.txt", "^/home/dev/.aws$")

    assert is_local(b"/srv/Cache/x", local=patterns)
    assert not is_local(b"/x/y.txt", local=patterns)
    assert not is_local(b"/srv/cache/no/x", local=patterns, not_found=("^/srv/cache/no/",))
    assert not is_local(b"/home/dev/.aws", local=patterns)


def test_mode_localwithoverrides_is_local_but_for_exceptions() -> None:
    changes: dict[str, Any] = {"mode": Mode.LOCAL_WITH_OVERRIDES}

    assert is_local(b"/srv/x", **changes)
    assert is_local(b"/", **changes)
    assert not is_local(b"/etc/hosts", **changes)
    assert not is_local(b"/home/dev/.kube", **changes)
    assert is_local(b"/opt/x", **changes, read_only=("^/srv/",))
    assert is_local(b"/usr/x", **changes, read_only=("^/srv",))


def test_mode_local_is_local_but_for_mappings() -> None:
    assert is_local(b"/etc/hosts", mode=Mode.LOCAL, read_only=("x",))
    assert not is_local(b"/a/b", mode=Mode.LOCAL, mapping=(("^/a/", "/b/"),))
    assert is_local(b"/etc/hosts", mode=Mode.LOCAL, mapping=(("^/a/", "/b/"),))


def test_what_is_said_already_is_left_out() -> None:
    prefixes = derive_prefixes(file_rules(working_directory=b"/home/dev/shop", temporary=b"/tmp"))

    texts = [prefix.text for prefix in prefixes]
    assert b"/home/dev/shop" not in texts
    assert texts == sorted(texts, key=len, reverse=True)
    assert len(set(texts)) == len(texts)


def test_a_list_that_would_cost_more_than_it_gives_is_none() -> None:
    assert derive_prefixes(file_rules(local=tuple(f"^/d{number}(/|$)" for number in range(MOST)))) == []
