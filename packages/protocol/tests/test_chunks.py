"""Listings: there and back, byte for byte as pycapnp, and nothing believed."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrord_protocol.chunks import decode_chunks, encode_chunk
from mirrord_protocol.failure import LocalProtocolError, RemoteProtocolError
from mirrord_protocol.flat import STAT, stat_numbers
from mirrord_protocol.schema import load, plain_fields
from mirrord_protocol.values import DirectoryEntry
from protocol_samples import ENTRIES, entries, vector


def by_pycapnp(listed: list[DirectoryEntry]) -> bytes:
    builder = load().DirectoryChunk.new_message(num_first_segment_words=1 << 16)
    chunk = builder.init("entries", len(listed))
    for place, entry in zip(chunk, listed, strict=True):
        place.inode, place.type = entry.inode, entry.type
        if entry.name:
            place.name = entry.name
        if entry.stat:
            stat, numbers = place.init("stat"), stat_numbers(entry.stat)
            for field in plain_fields(load().Stat.schema.node):
                setattr(stat, field.schema_name, numbers[field.name])
    data: bytes = builder.to_bytes()
    return data


@given(st.lists(entries, max_size=9))
def test_as_pycapnp_writes_it_and_back(listed: list[DirectoryEntry]) -> None:
    data = encode_chunk(listed)

    assert data == by_pycapnp(listed)
    assert list(decode_chunks(data)) == listed
    assert list(decode_chunks(memoryview(data + data))) == listed + listed


def test_vectors() -> None:
    assert encode_chunk(ENTRIES) == vector("directory_chunk")
    assert list(decode_chunks(vector("directory_chunk"))) == list(ENTRIES)
    assert list(decode_chunks(vector("directory_chunk_empty"))) == []
    assert list(decode_chunks(b"")) == []


def test_a_number_that_does_not_fit() -> None:
    with pytest.raises(LocalProtocolError):
        encode_chunk([DirectoryEntry(b"x", -1, 0)])


def test_entries_of_a_later_version_are_read() -> None:
    """A later version may have more fields: entries then are larger, and what is known stays where it is."""
    name = struct.pack("<iI", 4 << 2 | 1, 1 << 3 | 2)
    entry = struct.pack("<QQQ", 9, 8, 0xAA) + name + bytes(8) + bytes(8)
    body = struct.pack("<iHH", 0, 0, 1) + struct.pack("<iI", 1, 6 << 3 | 7) + struct.pack("<iHH", 1 << 2, 3, 3)
    body += entry + b"\0" * 16 + b"z" + bytes(7)
    data = struct.pack("<II", 0, len(body) // 8) + body

    # the name's pointer is at word 6, its text 5 words on: 6 + 1 + 4
    assert list(decode_chunks(data)) == [DirectoryEntry(b"z", 9, 8)]


@pytest.mark.parametrize("size", range(0, 600, 7))
def test_cut_off_anywhere(size: int) -> None:
    with pytest.raises(RemoteProtocolError):
        list(decode_chunks(vector("directory_chunk")[: size + 1]))


def pointers(*, root: bytes | None = None, entries: bytes | None = None, tag: bytes | None = None) -> bytes:
    """A chunk of one entry without name and stat, but for the pointers given."""
    body = (root or struct.pack("<iHH", 0, 0, 1)) + (entries or struct.pack("<iI", 1, 4 << 3 | 7))
    body += (tag or struct.pack("<iHH", 1 << 2, 2, 2)) + bytes(32)
    return struct.pack("<II", 0, len(body) // 8) + body


def test_the_chunk_that_the_next_test_breaks_is_good() -> None:
    assert list(decode_chunks(pointers())) == [DirectoryEntry(b"", 0, 0)]


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("<II", 1, 1) + bytes(8),
        struct.pack("<II", 0, 0),
        struct.pack("<II", 0, 1 << 31) + bytes(64),
        pointers(root=struct.pack("<iHH", -8, 0, 1)),
        pointers(root=struct.pack("<iHH", 1 << 20, 0, 1)),
        pointers(root=struct.pack("<iHH", 0, 0, 0)),
        pointers(root=struct.pack("<iHH", 2, 0, 1)),
        pointers(entries=struct.pack("<iI", 1, 4 << 3 | 2)),
        pointers(entries=struct.pack("<iI", 1, 1 << 30 | 7)),
        pointers(entries=struct.pack("<iI", -12 << 2 | 1, 4 << 3 | 7)),
        pointers(tag=struct.pack("<iHH", 1 << 29, 0, 0)),
        pointers(tag=struct.pack("<iHH", 2 << 2, 2, 2)),
        pointers(tag=struct.pack("<iHH", 1 << 2, 1, 2)),
        pointers(tag=struct.pack("<iHH", 1 << 2 | 1, 2, 2)),
    ],
)
def test_pointers_that_lie(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        list(decode_chunks(data))


def test_one_name_pointed_to_often_is_no_more_than_the_message() -> None:
    count, size = 100, 1000
    fixed = b""
    for index in range(count):
        to = (count - index) * 4 - 3
        fixed += bytes(16) + struct.pack("<iI", to << 2 | 1, size << 3 | 2) + bytes(8)
    body = struct.pack("<iHH", 0, 0, 1) + struct.pack("<iI", 1, (count * 4) << 3 | 7)
    body += struct.pack("<iHH", count << 2, 2, 2) + fixed + b"n" * size
    with pytest.raises(RemoteProtocolError, match="names"):
        list(decode_chunks(struct.pack("<II", 0, len(body) // 8) + body))


def test_stats_are_read_where_they_are() -> None:
    assert STAT.body.size == load().Stat.schema.node.struct.dataWordCount * 8
