"""The table's memory: only the session can write it, and sees who has it."""

from __future__ import annotations

import mmap
import os
from contextlib import suppress

import pytest

from mirrord_cli.session.publishing.driver import SharedMemory


def test_programs_read_what_the_session_writes() -> None:
    memory = SharedMemory(8192)
    fd = memory.hand_out()
    mapping = mmap.mmap(fd, 8192, prot=mmap.PROT_READ)

    memory.map[100:103] = b"abc"

    assert mapping[100:103] == b"abc"
    with pytest.raises(OSError, match=r"Bad file|Permission|not permitted"):
        os.write(fd, b"x")
    mapping.close()
    os.close(fd)
    memory.close()


def test_nobody_else_can_write_or_shrink_it() -> None:
    memory = SharedMemory(8192)
    fd = memory.hand_out()
    writing = -1
    with suppress(PermissionError):  # root may, whatever the mode
        writing = os.open(f"/proc/self/fd/{fd}", os.O_RDWR)
    if writing >= 0:
        with pytest.raises(PermissionError):
            os.write(writing, b"x")
        with pytest.raises(PermissionError):
            os.ftruncate(writing, 1)
        with pytest.raises(PermissionError):
            mmap.mmap(writing, 8192)
        os.close(writing)
    os.close(fd)
    memory.close()


def test_who_has_it() -> None:
    memory = SharedMemory(4096)
    assert not memory.is_used()
    one, other = memory.hand_out(), memory.hand_out()
    mapping = mmap.mmap(one, 4096, prot=mmap.PROT_READ)
    os.close(one)
    assert memory.is_used()
    os.close(other)
    assert memory.is_used()
    mapping.close()

    assert not memory.is_used()
    memory.close()
