"""What a layer's numbers and text mean."""

from __future__ import annotations

import os

import pytest

from mirrord_cli.session.requests import is_changing, open_flags, plain_path
from mirrord_protocol.layer_values import LayerOperation, LayerRequest
from mirrord_protocol.values import OpenFlag


@pytest.mark.parametrize(
    ("flags", "changing"),
    [
        (os.O_RDONLY, False),
        (os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY, False),
        (os.O_WRONLY, True),
        (os.O_RDWR, True),
        (os.O_RDONLY | os.O_CREAT, True),
        (os.O_RDONLY | os.O_TRUNC, True),
        (os.O_PATH | os.O_RDWR | os.O_CREAT, False),
        (os.O_RDWR | os.O_TMPFILE, True),
    ],
)
def test_opens_that_change(flags: int, changing: bool) -> None:
    assert is_changing(LayerRequest(LayerOperation.OPEN, flags=flags)) is changing


def test_other_calls_that_change() -> None:
    assert is_changing(LayerRequest(LayerOperation.ACCESS, mode=os.W_OK | os.R_OK))
    assert not is_changing(LayerRequest(LayerOperation.ACCESS, mode=os.R_OK | os.X_OK))
    assert is_changing(LayerRequest(LayerOperation.PLACE))
    assert not is_changing(LayerRequest(LayerOperation.STAT, mode=os.W_OK))


def test_open_flags() -> None:
    assert open_flags(os.O_CLOEXEC) == 0
    assert open_flags(os.O_PATH | os.O_NOATIME) == OpenFlag.PATH_ONLY | OpenFlag.NO_ACCESS_TIME


@pytest.mark.parametrize(
    ("asked", "cleaned", "plain"),
    [
        (b"/a/b", b"/a/b", b"/a/b"),
        (b"/a//./b", b"/a/b", b"/a/b"),
        (b"/a/b/", b"/a/b", b"/a/b/"),
        (b"/a/b/.", b"/a/b", b"/a/b/"),
        (b"//", b"/", b"/"),
        (b"/a/../b/", b"/b", b"/a/../b/"),
        (b"/a/..b", b"/a/..b", b"/a/..b"),
    ],
)
def test_plain_path(asked: bytes, cleaned: bytes, plain: bytes) -> None:
    assert plain_path(asked, cleaned) == plain
