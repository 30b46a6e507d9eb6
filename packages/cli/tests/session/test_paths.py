"""Paths as bytes: what cleaning does, and that the other functions agree with it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrord_cli.session import paths

texts = st.lists(st.sampled_from([b"a", b"bb", b".", b"..", b"", b".h", b"...", b"\xff"]), max_size=6).map(b"/".join)
absolute = texts.map(lambda text: b"/" + text)


@pytest.mark.parametrize(
    ("path", "cleaned"),
    [
        (b"/", b"/"),
        (b"//", b"/"),
        (b"/a/", b"/a"),
        (b"/a//b", b"/a/b"),
        (b"/a/./b/.", b"/a/b"),
        (b"/a/../b", b"/b"),
        (b"/../../a", b"/a"),
        (b"/a/..", b"/"),
        (b"/a/.b/..c/...", b"/a/.b/..c/..."),
        (b"a/b", b"/a/b"),
        (b"", b"/"),
    ],
)
def test_clean(path: bytes, cleaned: bytes) -> None:
    assert paths.clean(path) == cleaned


@given(absolute)
def test_cleaned_is_clean(path: bytes) -> None:
    cleaned = paths.clean(path)

    assert paths.is_clean(cleaned)
    assert paths.is_clean(path) == (path == cleaned)


@given(absolute, texts)
def test_cleaning_first_or_last_is_the_same(base: bytes, path: bytes) -> None:
    assert paths.clean(paths.join(base, path)) == paths.clean(paths.join(paths.clean(base), path))


def test_join() -> None:
    assert paths.join(b"/", b"a") == b"/a"
    assert paths.join(b"/a", b"b/../c") == b"/a/b/../c"
    assert paths.join(b"/a", b"/b") == b"/b"
    assert paths.join(b"/a", b"") == b"/a/"


@given(absolute.map(paths.clean))
def test_taking_apart(path: bytes) -> None:
    above = list(paths.parents(path))
    parent, name = paths.split(path)

    assert paths.clean(paths.join(parent, name)) == path
    assert above == ([] if path == b"/" else [parent, *paths.parents(parent)])
    assert all(paths.is_below(path, directory) for directory in [path, *above])
    assert not any(paths.is_below(directory, path) for directory in above)
    assert not paths.is_below(path + b"x", path) or path == b"/"


def test_follows_text() -> None:
    assert [paths.follows_text(path) for path in (b"/a/./b", b"/a..b/..c", b"/a/../b", b"/..")] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("path", "directories"),
    [
        (b"/a/b", []),
        (b"/a..b/..c", []),
        (b"/a/..", [b"/a"]),
        (b"/a/./b/../../c", [b"/a/b", b"/a"]),
        (b"/../a", [b"/"]),
    ],
)
def test_left_behind(path: bytes, directories: list[bytes]) -> None:
    assert list(paths.left_behind(path)) == directories
