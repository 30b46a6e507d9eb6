"""A writer of the shared table (docs/layer.md), independent of the session's: what the C reader is tested against."""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MAGIC = b"MIRRORDT"
HEADER = struct.Struct("<8sIIQQQIIIIIIIIIIIIIIII")
PREFIX = struct.Struct("<8sIHBB")
SLOT = struct.Struct("<QIHBB")

LOCAL, ASK = 1, 2
"""Verdicts of a prefix."""
READ, CHANGE = 1, 2
"""Bits of a slot's flags."""
OFF, CHANGES_ASK, RELATIVE_ASK = 1, 2, 4
"""Bits of the table's flags."""

NAMES_LOCAL, TCP_LOCAL, UDP_LOCAL, UNIX_LOCAL = 1, 2, 4, 8
INCOMING_LOCAL, LOOPBACK_LOCAL, HOSTNAME_LOCAL, IPV6_OFF, BINDS_ASK = 16, 32, 64, 128, 256
"""Bits of the table's network flags."""
ALL_LOCAL = NAMES_LOCAL | TCP_LOCAL | UDP_LOCAL | UNIX_LOCAL | INCOMING_LOCAL | HOSTNAME_LOCAL
PORTS = 8192
"""Bytes of a bitmap of ports."""

FLAGS_AT, WATCHED_AT, FILES_AT, DIRECTORIES_AT = 40, 44, 48, 52
NETWORK_AT, RELAYS_AT, OWN_AT, RELAYED_AT, RELAYED_DATAGRAMS_AT = 80, 84, 88, 92, 96


@dataclass(frozen=True, slots=True)
class Prefix:
    """A path that decides for itself and for all below it."""

    text: bytes
    verdict: int
    fold: bool = False


def hash_path(path: bytes) -> int:
    """What a slot is found by."""
    value = len(path)
    for at in range(0, len(path), 8):
        word = int.from_bytes(path[at : at + 8], "little")
        value = (value ^ word) * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF
        value ^= value >> 32
    value = value * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF
    value ^= value >> 32
    return value or 1


def encode_table(
    *,
    devices: tuple[int, int, int] = (0, 0, 0),
    flags: int = 0,
    network: int = ALL_LOCAL,
    prefixes: Iterable[Prefix] = (),
    names: Sequence[bytes] = (),
    slots: int = 64,
    room: int = 1 << 16,
) -> bytearray:
    """Return a table's bytes: header, prefixes (put in order), empty slots, bitmaps of ports, names, texts.

    Behind the texts of the prefixes are `room` bytes for those of slots.
    """
    ordered = sorted(prefixes, key=lambda prefix: len(prefix.text), reverse=True)
    prefix_at = HEADER.size
    slot_at = prefix_at + PREFIX.size * len(ordered)
    own_at = slot_at + SLOT.size * slots
    relayed_at = own_at + PORTS
    name_at = relayed_at + PORTS
    name_bytes = b"".join(struct.pack("<H", len(name)) + name for name in names)
    text_at = name_at + len(name_bytes)
    texts = b"".join(prefix.text for prefix in ordered)
    size = text_at + len(texts) + room
    table = bytearray(size)
    counts = (len(ordered), prefix_at, slots, slot_at, len(names), name_at)
    ports = (network, 0, own_at, relayed_at, 0, 0)
    HEADER.pack_into(table, 0, MAGIC, 2, size, *devices, flags, 0, 0, 0, *counts, *ports)
    table[name_at:text_at] = name_bytes
    for index, prefix in enumerate(ordered):
        entry = (prefix.text[:8].lower(), text_at, len(prefix.text), prefix.verdict, prefix.fold)
        PREFIX.pack_into(table, prefix_at + index * PREFIX.size, *entry)
        table[text_at : text_at + len(prefix.text)] = prefix.text
        text_at += len(prefix.text)
    return table


def add_slot(table: bytearray | mmap.mmap, path: bytes, flags: int, text_at: int) -> int:
    """Publish a path's flags, its text put at `text_at`; the offset behind the text."""
    header = HEADER.unpack_from(table, 0)
    slots, slot_at = header[12], header[13]
    value = hash_path(path)
    for step in range(32):
        at = slot_at + (value + step) % slots * SLOT.size
        if SLOT.unpack_from(table, at)[0] == 0:
            table[text_at : text_at + len(path)] = path
            SLOT.pack_into(table, at, 0, text_at, len(path), flags, 0)
            struct.pack_into("<Q", table, at, value)
            return text_at + len(path)
    raise MemoryError("no free slot within 32 steps")


def mark_port(table: bytearray | mmap.mmap, which: int, port: int, on: bool = True) -> None:
    """Set or clear a port's bit in a bitmap: OWN_AT or RELAYED_AT."""
    at = struct.unpack_from("<I", table, which)[0] + port // 8
    table[at] = table[at] | 1 << port % 8 if on else table[at] & ~(1 << port % 8)


class SharedTable:
    """A table in a memfd, as layers map it."""

    def __init__(self, data: bytes | bytearray) -> None:
        self.fd = os.memfd_create("table")
        os.write(self.fd, data)
        self._map = mmap.mmap(self.fd, len(data))
        # A word is written at once, as the session does it; struct.pack_into clears it first, which a layer may see.
        self._words = memoryview(self._map)[: len(data) // 4 * 4].cast("I")
        self._text_at = len(data) - (1 << 16)

    def count(self, at: int, change: int = 1) -> None:
        """Change one of the counters, as WATCHED_AT."""
        self._words[at // 4] += change

    def set_flags(self, flags: int) -> None:
        """Replace the table's flags."""
        self._words[FLAGS_AT // 4] = flags

    def set_network(self, flags: int) -> None:
        """Replace the table's network flags."""
        self._words[NETWORK_AT // 4] = flags

    def mark_port(self, which: int, port: int, on: bool = True) -> None:
        """Set or clear a port's bit in a bitmap: OWN_AT or RELAYED_AT."""
        mark_port(self._map, which, port, on)

    def add_slot(self, path: bytes, flags: int) -> None:
        """Publish what is decided for a path."""
        self._text_at = add_slot(self._map, path, flags, self._text_at)

    def close(self) -> None:
        """Give the memory back; layers keep their own mapping."""
        self._words.release()
        self._map.close()
        os.close(self.fd)
