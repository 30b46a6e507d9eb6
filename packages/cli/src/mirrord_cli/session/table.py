"""The shared table: its layout and what the session writes into it, over memory that the driver made. No I/O.

docs/layer.md and docs/network.md have the pages on it; packages/layer-unix/csrc/table.c reads it, in other processes
and meanwhile. Every field is zero until it is written, once, and a slot's hash comes last: a reader that sees half of a
slot compares a text that isn't there yet, and asks. Counters and bits of ports change at any time, each in one step.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from mirrord_cli.session.prefixes import Prefix
from mirrord_cli.session.settings import FileRules, IncomingMode, Mode, NetworkRules

SLOTS: Final = 1 << 16
"""A quarter of them may be used; 16,384 are all the files that a large program has outside of local folders."""
ROOM: Final = 2 << 20
"""Bytes for the paths of slots. Like the slots, they are memory only once they are written to."""

_HEADER: Final = struct.Struct("<8sIIQQQIIIIIIIIIIIIIIII")
_PREFIX: Final = struct.Struct("<8sIHBB")
_SLOT: Final = struct.Struct("<QIHBB")
_MAGIC: Final = b"MIRRORDT"
_VERSION: Final = 2
_WATCHED, _FILES, _DIRECTORIES = 44 // 4, 48 // 4, 52 // 4
_NETWORK, _RELAYS, _RELAYED_DATAGRAMS = 80 // 4, 84 // 4, 96 // 4
_32_BITS: Final = (1 << 32) - 1
_PORTS: Final = 8192
"""Bytes of a bitmap with a bit for each port."""
_STEPS: Final = 32
_LONGEST: Final = 4096
_64_BITS: Final = (1 << 64) - 1


class TableFlag(enum.IntFlag):
    """What layers do with all paths."""

    NONE = 0
    OFF = 1
    """Every path is local."""
    CHANGES_ASK = 2
    """Calls that change a path ask where to do it."""
    RELATIVE_ASK = 4
    """Relative paths in local directories are asked about."""


class NetworkFlag(enum.IntFlag):
    """What of the network is this machine's alone."""

    NAMES_LOCAL = 1
    TCP_LOCAL = 2
    UDP_LOCAL = 4
    UNIX_LOCAL = 8
    INCOMING_LOCAL = 16
    LOOPBACK_LOCAL = 32
    """Outgoing connections to loopback."""
    HOSTNAME_LOCAL = 64
    IPV6_OFF = 128
    """There are no sockets of IPv6."""
    BINDS_ASK = 256
    """Ports are asked about before they are bound."""


ALL_LOCAL: Final = (
    NetworkFlag.NAMES_LOCAL
    | NetworkFlag.TCP_LOCAL
    | NetworkFlag.UDP_LOCAL
    | NetworkFlag.UNIX_LOCAL
    | NetworkFlag.INCOMING_LOCAL
    | NetworkFlag.HOSTNAME_LOCAL
)
"""Layers leave the network alone."""


class SlotFlag(enum.IntFlag):
    """For which calls a path is known to be local."""

    READ = 1
    CHANGE = 2


class Devices(NamedTuple):
    """The devices (st_dev) of stand-ins."""

    memory: int
    temporary: int
    directory: int


@dataclass(frozen=True, slots=True)
class TablePlan:
    """What a table will hold; tells how much memory to make for it."""

    prefixes: tuple[Prefix, ...]
    names: bytes
    name_count: int
    slots: int
    room: int

    @property
    def slot_offset(self) -> int:
        return _HEADER.size + _PREFIX.size * len(self.prefixes)

    @property
    def own_offset(self) -> int:
        return self.slot_offset + _SLOT.size * self.slots

    @property
    def relayed_offset(self) -> int:
        return self.own_offset + _PORTS

    @property
    def name_offset(self) -> int:
        return self.relayed_offset + _PORTS

    @property
    def text_offset(self) -> int:
        return self.name_offset + len(self.names)

    @property
    def size(self) -> int:
        """Bytes of the whole."""
        return -(-(self.text_offset + sum(len(prefix.text) for prefix in self.prefixes) + self.room) // 8) * 8


def plan_table(
    prefixes: Iterable[Prefix], skipped_programs: Sequence[bytes], *, slots: int = SLOTS, room: int = ROOM
) -> TablePlan:
    """Plan a table; names and prefixes that no path can have are left out.

    Args:
        prefixes: What layers may decide alone (`derive_prefixes`).
        skipped_programs: Base names of programs in which the layer stays inert.
        slots: A power of two.
        room: Bytes for the paths of slots.
    """
    names = [name for name in skipped_programs if len(name) <= _LONGEST]
    texts = sorted(
        (prefix for prefix in prefixes if len(prefix.text) <= _LONGEST), key=lambda prefix: -len(prefix.text)
    )
    encoded = b"".join(len(name).to_bytes(2, "little") + name for name in names)
    return TablePlan(tuple(texts), encoded, len(names), slots, room)


def table_flags(files: FileRules) -> TableFlag:
    """Return what these rules mean for all paths."""
    if files.mode is Mode.LOCAL:
        return TableFlag.OFF
    flags = TableFlag.NONE
    if files.mapping or files.not_found:
        flags |= TableFlag.CHANGES_ASK
    if files.not_found:
        flags |= TableFlag.RELATIVE_ASK
    return flags


def network_flags(rules: NetworkRules) -> NetworkFlag:
    """Return what these rules mean for all names and sockets."""
    incoming = rules.incoming
    local = {
        NetworkFlag.NAMES_LOCAL: not rules.names,
        NetworkFlag.TCP_LOCAL: not rules.tcp,
        NetworkFlag.UDP_LOCAL: not rules.udp,
        NetworkFlag.UNIX_LOCAL: not rules.unix_streams,
        # Listeners are told of for the sake of outgoing connections too: those to them stay here.
        NetworkFlag.INCOMING_LOCAL: incoming.mode is IncomingMode.OFF and not rules.tcp,
        NetworkFlag.LOOPBACK_LOCAL: rules.ignore_localhost,
        NetworkFlag.HOSTNAME_LOCAL: not rules.hostname,
        NetworkFlag.IPV6_OFF: not rules.ipv6,
        NetworkFlag.BINDS_ASK: incoming.mode is not IncomingMode.OFF and bool(incoming.listen_ports),
    }
    return NetworkFlag(sum(flag for flag, holds in local.items() if holds))


class Table:
    """A table in memory that layers have mapped.

    Args:
        memory: `plan.size` bytes, all zero, that stay where they are as long as this lives.
        plan: From `plan_table`.
        devices: Of the stand-ins.
        flags: From `table_flags`.
        network: What of the network layers leave alone.
    """

    def __init__(
        self,
        memory: memoryview,
        plan: TablePlan,
        devices: Devices,
        flags: TableFlag,
        network: NetworkFlag = ALL_LOCAL,
    ) -> None:
        self._bytes = memory[: plan.size]
        self._words = self._bytes.cast("I")
        self._longs = self._bytes.cast("Q")  # written at once, not byte by byte
        self._slots, self._slot_offset = plan.slots, plan.slot_offset
        self._own_offset, self._relayed_offset = plan.own_offset, plan.relayed_offset
        self._left = plan.slots // 4
        self._text_at = plan.text_offset
        self._bytes[plan.name_offset : plan.text_offset] = plan.names
        for index, prefix in enumerate(plan.prefixes):
            text = self._put_text(prefix.text)
            entry = (prefix.text[:8].lower(), text, len(prefix.text), prefix.verdict, True)
            _PREFIX.pack_into(self._bytes, _HEADER.size + index * _PREFIX.size, *entry)
        counts = (len(plan.prefixes), _HEADER.size, plan.slots, plan.slot_offset, plan.name_count, plan.name_offset)
        ports = (network, 0, plan.own_offset, plan.relayed_offset, 0, 0)
        _HEADER.pack_into(self._bytes, 0, _MAGIC, _VERSION, plan.size, *devices, flags, 0, 0, 0, *counts, *ports)

    def add_slot(self, path: bytes, flags: SlotFlag) -> bool:
        """Tell layers that a cleaned path is local for some calls, beside what they were told before.

        Return whether it was: a full table takes no more, and layers go on asking.
        """
        value = hash_path(path)
        for step in range(_STEPS):
            at = self._slot_offset + (value + step) % self._slots * _SLOT.size
            found, text, length, known, _ = _SLOT.unpack_from(self._bytes, at)
            if found == value and self._bytes[text : text + length] == path:
                self._bytes[at + 14] = known | flags
                return True
            if not found:
                if not self._left or len(path) > _LONGEST or self._text_at + len(path) > len(self._bytes):
                    return False
                self._left -= 1
                _SLOT.pack_into(self._bytes, at, 0, self._put_text(path), len(path), flags, 0)
                self._longs[at // 8] = value
                return True
        return False

    def count_file(self) -> None:
        """Say that a file is handed out; before it is."""
        self._words[_FILES] += 1

    def count_directory(self) -> None:
        """Say that a directory is handed out; before it is."""
        self._words[_DIRECTORIES] += 1

    def count_watched(self, change: int) -> None:
        """Say that a file whose reads have to wait or ask is handed out, before it is (1), or no longer is one (-1)."""
        self._words[_WATCHED] += change

    def set_network(self, flags: NetworkFlag) -> None:
        """Say what of the network layers leave alone; before any of them looks."""
        self._words[_NETWORK] = flags

    def count_relay(self) -> None:
        """Say that a socket is relayed; before its program can know."""
        self._words[_RELAYS] = min(self._words[_RELAYS] + 1, _32_BITS)

    def count_relayed_datagrams(self) -> None:
        """Say that a datagram socket is relayed; before its program can know."""
        self._words[_RELAYED_DATAGRAMS] = min(self._words[_RELAYED_DATAGRAMS] + 1, _32_BITS)

    def set_own(self, port: int, own: bool) -> None:  # noqa: FBT001 - a bit
        """Say whether connections to a port of loopback stay on this machine."""
        self._set_bit(self._own_offset, port, own)

    def set_relayed(self, port: int, relayed: bool) -> None:  # noqa: FBT001 - a bit
        """Say whether sockets of the session have a port of loopback; before a program's can be connected to one."""
        self._set_bit(self._relayed_offset, port, relayed)

    def _set_bit(self, offset: int, port: int, value: bool) -> None:  # noqa: FBT001 - a bit
        at, bit = offset + port // 8, 1 << port % 8
        self._bytes[at] = self._bytes[at] | bit if value else self._bytes[at] & ~bit

    def close(self) -> None:
        """Let go of the memory, which can't be unmapped before. Nothing may be called after it."""
        self._words.release()
        self._longs.release()
        self._bytes.release()

    def _put_text(self, text: bytes) -> int:
        at = self._text_at
        self._bytes[at : at + len(text)] = text
        self._text_at += len(text)
        return at


def hash_path(path: bytes) -> int:
    """Return what a slot is found by; never 0."""
    value = len(path)
    for at in range(0, len(path) + 8, 8):  # the last is empty, and mixes what the one before it brought
        value = (value ^ int.from_bytes(path[at : at + 8], "little")) * 0x9E3779B97F4A7C15 & _64_BITS
        value ^= value >> 32
    return value or 1
