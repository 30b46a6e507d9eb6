"""What an opened path is, what stats say, which handles there are: pure decisions."""

from __future__ import annotations

import errno
import os
import stat

import pytest

from mirrord_agent.files.machine import (
    OFFSET_LIMIT,
    Handles,
    access_questions,
    check_range,
    following,
    form_of,
    handle_limit,
    may_read_cached,
    never_waits,
    system_flags,
    to_file_system,
    to_stat,
)
from mirrord_agent.kernel.layouts import STATX_BTIME, Magic
from mirrord_protocol.values import Form, OpenFlag

EXT4, TMPFS, NFS = 0xEF53, 0x01021994, 0x6969
REGULAR = stat.S_IFREG | 0o644


@pytest.mark.parametrize(
    ("mode", "size", "kind", "form"),
    [
        (REGULAR, 0, EXT4, Form.WHOLE),
        (REGULAR, 100, EXT4, Form.WHOLE),
        (REGULAR, 101, EXT4, Form.LARGE),
        (REGULAR, 0, Magic.PROC, Form.REQUEST),
        (REGULAR, 4096, 0x62656572, Form.REQUEST),  # sysfs says a page, and means nothing by it
        (REGULAR, 0, NFS, Form.REQUEST),  # a file system unknown to us may make its contents up
        (REGULAR, 7, NFS, Form.WHOLE),
        (stat.S_IFDIR | 0o755, 4096, EXT4, Form.DIRECTORY),
        (stat.S_IFDIR | 0o755, 0, Magic.PROC, Form.DIRECTORY),
        (stat.S_IFIFO | 0o644, 0, EXT4, Form.STREAM),
        (stat.S_IFCHR | 0o644, 0, EXT4, Form.STREAM),
        (stat.S_IFBLK | 0o644, 0, EXT4, Form.STREAM),
    ],
)
def test_forms(mode: int, size: int, kind: int, form: Form) -> None:
    assert form_of(mode, size, kind, 100) == form


def test_what_follows_an_answer() -> None:
    assert following(Form.WHOLE, 70, 10) == 70
    assert following(Form.LARGE, 70, 10) == 10
    assert following(Form.LARGE, 7, 10) == 7
    for form in (Form.REQUEST, Form.STREAM, Form.DIRECTORY, Form.NOTHING):
        assert following(form, 70, 10) == 0


def test_what_never_waits() -> None:
    assert never_waits(REGULAR, TMPFS)
    assert never_waits(stat.S_IFIFO, EXT4)
    assert not never_waits(REGULAR, EXT4)
    assert not never_waits(stat.S_IFCHR, TMPFS)


def test_what_is_worth_a_try() -> None:
    assert may_read_cached(EXT4, tells=True)
    assert may_read_cached(TMPFS, tells=False)
    assert not may_read_cached(EXT4, tells=False)


def test_flags() -> None:
    always = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
    assert system_flags(OpenFlag(0)) == always
    assert system_flags(OpenFlag.NO_FOLLOW) == always | os.O_NOFOLLOW
    assert system_flags(OpenFlag.DIRECTORY | OpenFlag.NON_BLOCKING) == always | os.O_DIRECTORY


def test_ranges() -> None:
    assert check_range(0, 100) == 100
    assert check_range(OFFSET_LIMIT, 100) == 0
    assert check_range(OFFSET_LIMIT - 5, 100) == 5
    with pytest.raises(OSError, match="Invalid argument"):
        check_range(OFFSET_LIMIT + 1, 0)


def test_access_is_asked_for_at_once_first() -> None:
    r, w, x = os.R_OK, os.W_OK, os.X_OK
    assert list(access_questions(REGULAR)) == [r | w, r, w]
    assert list(access_questions(stat.S_IFREG | 0o100)) == [r | w | x, r, w, x]
    assert list(access_questions(stat.S_IFDIR)) == [r | w | x, r, w, x]


def test_stat() -> None:
    fields = (STATX_BTIME, 4096, 2, 3, 4, REGULAR, 5, 6, 7, 8, 9, 10, 11, -12, 13, 14, 999_999_999, 1, 2, 3, 4, 5)

    seen = to_stat(fields, 6, born=STATX_BTIME)

    assert (seen.block_size, seen.links, seen.uid, seen.gid, seen.mode) == (4096, 2, 3, 4, REGULAR)
    assert (seen.inode, seen.size, seen.blocks, seen.allowed) == (5, 6, 7, 6)
    assert seen.accessed == 8_000_000_009
    assert seen.born == 10_000_000_011
    assert seen.changed == -12_000_000_000 + 13
    assert seen.modified == 14_999_999_999
    assert (seen.rdev, seen.device) == (os.makedev(1, 2), os.makedev(3, 4))
    assert to_stat((0, *fields[1:]), 6, born=STATX_BTIME).born is None


def test_file_system() -> None:
    seen = to_file_system((1, 2, 3, 4, 5, 6, 7, -1, 1, 10, 11, 12))

    assert (seen.type, seen.block_size, seen.blocks, seen.blocks_free, seen.blocks_available) == (1, 2, 3, 4, 5)
    assert (seen.files, seen.files_free, seen.id) == (6, 7, 0x1_FFFF_FFFF)
    assert (seen.name_length, seen.fragment_size, seen.flags) == (10, 11, 12)


class Thing:
    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


def test_handles() -> None:
    handles, thing = Handles[Thing](2), Thing()
    handles.reserve(1)
    handles.reserve(3)
    with pytest.raises(OSError, match="Too many open files") as caught:
        handles.reserve(5)
    assert caught.value.errno == errno.EMFILE
    handles.put(3, thing)
    assert handles.get(3) is thing
    with pytest.raises(OSError, match="Bad file descriptor"):
        handles.get(1)

    handles.drop(3)
    handles.drop(3)

    assert thing.closed == 1
    assert len(handles) == 1
    handles.reserve(5)


def test_few_descriptors_mean_few_handles() -> None:
    assert handle_limit(1024) == 640
    assert handle_limit(256) == 64
    assert handle_limit(64) == 16
