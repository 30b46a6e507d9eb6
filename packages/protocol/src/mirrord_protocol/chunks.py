"""A listing's bytes: a sequence of DirectoryChunk messages, written and read without a round through pycapnp.

A listing of a thousand entries has twenty thousand fields, and both sides of the connection go through all of them.
Layouts come from the schema; the tests compare with pycapnp byte for byte. The C reader of the same bytes is made by
cgen.py. Whatever the other side sent, nothing outside of its bytes is read, and the work is bounded by their number.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from mirrord_protocol.failure import LocalProtocolError, RemoteProtocolError
from mirrord_protocol.flat import STAT, pack_stat, unpack_stat
from mirrord_protocol.schema import load
from mirrord_protocol.values import DirectoryEntry

WORD = 8
COMPOSITE = 7
BYTES = 2

_entry = load().DirectoryEntry.schema.node.struct
_entry_own = struct.Struct("<QB7x")
_ENTRY_WORDS = _entry.dataWordCount + _entry.pointerCount
_STAT_WORDS = STAT.body.size // WORD
_layout = {field.name: (field.slot.offset, field.slot.type.which()) for field in _entry.fields}
# The two fields and two pointers below are written and read at these places; a change of the schema must come here.
if _layout != {"name": (0, "data"), "inode": (0, "uint64"), "type": (8, "uint8"), "stat": (1, "struct")}:
    raise ImportError("DirectoryEntry's layout is not the one that chunks.py writes")


def _struct_pointer(offset: int, data_words: int, pointers: int) -> bytes:
    return struct.pack("<iHH", offset << 2, data_words, pointers)


def _list_pointer(offset: int, size: int, count: int) -> bytes:
    return struct.pack("<iI", offset << 2 | 1, count << 3 | size)


def encode_chunk(entries: Iterable[DirectoryEntry]) -> bytes:
    """Return one DirectoryChunk message of entries; raises LocalProtocolError for a number that doesn't fit."""
    entries = list(entries)
    fixed, rest = [], []
    size = len(entries) * _ENTRY_WORDS
    end = size  # in words from the first entry; what entries point to is put there
    try:
        for index, entry in enumerate(entries):
            pointer = index * _ENTRY_WORDS + _entry.dataWordCount
            name = stat = bytes(WORD)
            if entry.name:
                name = _list_pointer(end - pointer - 1, BYTES, len(entry.name))
                rest.append(entry.name + bytes(-len(entry.name) % WORD))
                end += len(rest[-1]) // WORD
            if entry.stat is not None:
                stat = _struct_pointer(end - pointer - 2, _STAT_WORDS, 0)
                rest.append(pack_stat(entry.stat))
                end += _STAT_WORDS
            fixed += [_entry_own.pack(entry.inode, entry.type), name, stat]
        head = struct.pack("<II", 0, end + 3)
        tag = struct.pack("<iHH", len(entries) << 2, _entry.dataWordCount, _entry.pointerCount)
        root = _struct_pointer(0, 0, 1) + _list_pointer(0, COMPOSITE, size)
        return b"".join([head, root, tag, *fixed, *rest])
    except struct.error as error:
        raise LocalProtocolError(f"directory chunk: {error}") from error


def decode_chunks(data: bytes | memoryview) -> Iterator[DirectoryEntry]:
    """Yield the entries of a whole listing; raises RemoteProtocolError where the bytes are none."""
    view, at = memoryview(data), 0
    while at < len(view):
        try:
            segments, words = struct.unpack_from("<II", view, at)
            end = at + WORD + words * WORD
            if segments or end > len(view):
                raise RemoteProtocolError("directory chunk: more than one segment, or cut off")
            yield from _entries(view[at + WORD : end])
        except struct.error as error:
            raise RemoteProtocolError(f"directory chunk: {error}") from error
        at = end


def _target(view: memoryview, at: int) -> tuple[int, int, int]:
    """Follow the pointer at `at`: its low two bits, where it leads, its upper half."""
    low, high = struct.unpack_from("<iI", view, at)
    return low & 3, at + WORD + (low >> 2) * WORD, high


def _room(view: memoryview, start: int, size: int) -> None:
    if start < 0 or size < 0 or start + size > len(view):
        raise RemoteProtocolError("directory chunk: a pointer leads outside")


def _entries(view: memoryview) -> Iterator[DirectoryEntry]:
    kind, start, high = _target(view, 0)
    data, pointers = (high & 0xFFFF) * WORD, high >> 16
    _room(view, start, data + pointers * WORD)
    if kind or not pointers:
        raise RemoteProtocolError("directory chunk: no list of entries")
    kind, tag, high = _target(view, start + data)
    if (kind, high & 7) != (1, COMPOSITE):
        raise RemoteProtocolError("directory chunk: no list of entries")
    _room(view, tag, WORD + (high >> 3) * WORD)
    low, high_tag = struct.unpack_from("<II", view, tag)
    count, data, pointers = low >> 2, high_tag & 0xFFFF, high_tag >> 16
    # Smaller entries than ours come from no version of the schema, and empty ones would be many in few bytes.
    if low & 3 or data < _entry.dataWordCount or pointers < 2 or count * (data + pointers) > high >> 3:
        raise RemoteProtocolError("directory chunk: a list that isn't one of entries")
    allowance = len(view)  # pointers may lead to the same name: all names together are no more than the message
    for index in range(count):
        at = tag + WORD + index * (data + pointers) * WORD
        entry = _read_entry(view, at, at + data * WORD)
        allowance -= len(entry.name)
        if allowance < 0:
            raise RemoteProtocolError("directory chunk: names that are more than the message")
        yield entry


def _read_entry(view: memoryview, at: int, pointers: int) -> DirectoryEntry:
    inode, type_ = _entry_own.unpack_from(view, at)
    kind, start, high = _target(view, pointers)
    name = b""
    if high or kind:
        if (kind, high & 7) != (1, BYTES):
            raise RemoteProtocolError("directory chunk: a name that isn't bytes")
        _room(view, start, high >> 3)
        name = bytes(view[start : start + (high >> 3)])
    kind, start, high = _target(view, pointers + WORD)
    stat = None
    if high or kind:
        if kind or high & 0xFFFF < _STAT_WORDS:
            raise RemoteProtocolError("directory chunk: a stat that isn't one")
        _room(view, start, _STAT_WORDS * WORD)
        stat = unpack_stat(view, start)
    return DirectoryEntry(name, inode, type_, stat)
