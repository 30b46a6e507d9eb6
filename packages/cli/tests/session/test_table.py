"""The shared table: what the layer's own reader finds in what the session writes."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrord_cli.session.paths import is_below, is_clean
from mirrord_cli.session.prefixes import Prefix, PrefixVerdict, derive_prefixes
from mirrord_cli.session.rules import Rules, Side
from mirrord_cli.session.settings import FileRules, IncomingMode, IncomingRules, Mode, NetworkRules
from mirrord_cli.session.table import (
    ALL_LOCAL,
    Devices,
    NetworkFlag,
    SlotFlag,
    Table,
    TableFlag,
    TablePlan,
    hash_path,
    network_flags,
    plan_table,
    table_flags,
)
from mirrord_layer_unix._pure import ffi, lib
from session_rules import file_rules, some_paths, some_rules

LOCAL, ASK = PrefixVerdict.LOCAL, PrefixVerdict.ASK
READ, CHANGE = SlotFlag.READ, SlotFlag.CHANGE
BOTH = READ | CHANGE
DEVICES = Devices(memory=1, temporary=(1 << 64) - 1, directory=3)


class Written:
    """A table and its reader."""

    def __init__(self, plan: TablePlan, flags: TableFlag = TableFlag.NONE) -> None:
        self.memory = bytearray(plan.size)
        self.table = Table(memoryview(self.memory), plan, DEVICES, flags)
        self.read = ffi.cast("struct table *", ffi.from_buffer(self.memory))

    def lookup(self, path: bytes) -> SlotFlag:
        return SlotFlag(lib.table_lookup(self.read, len(self.memory), path, len(path)))

    def skips(self, name: bytes) -> bool:
        return bool(lib.table_names(self.read, len(self.memory), name, len(name)))


def small(*prefixes: Prefix, names: tuple[bytes, ...] = (), slots: int = 64, room: int = 4096) -> Written:
    return Written(plan_table(prefixes, names, slots=slots, room=room))


@pytest.mark.parametrize("names", [(), (b"make",), (b"git", b"")])
def test_header(names: tuple[bytes, ...]) -> None:
    plan = plan_table([Prefix(b"/usr", LOCAL)], names, slots=32, room=5)
    written = Written(plan, TableFlag.CHANGES_ASK)

    assert lib.table_valid(written.read, plan.size)
    assert not lib.table_valid(written.read, plan.size - 1)
    assert plan.size % 8 == 0
    assert written.memory[:16] == b"MIRRORDT" + (2).to_bytes(4, "little") + plan.size.to_bytes(4, "little")
    assert written.memory[16:40] == b"".join(device.to_bytes(8, "little") for device in DEVICES)
    assert written.memory[40:56] == b"\2" + bytes(15)
    assert written.lookup(b"/usr/x") == BOTH
    words = memoryview(written.memory)[80:104].cast("I")
    assert list(words) == [ALL_LOCAL, 0, plan.own_offset, plan.relayed_offset, 0, 0]
    assert not any(written.memory[plan.own_offset : plan.relayed_offset + 8192])


def test_counters() -> None:
    written = small()
    numbers: Callable[[], list[int]] = lambda: list(memoryview(written.memory)[44:56].cast("I"))  # noqa: E731

    written.table.count_watched(1)
    written.table.count_watched(1)
    written.table.count_watched(-1)
    written.table.count_file()
    for _ in range(300):
        written.table.count_directory()

    assert numbers() == [1, 1, 300]


def test_skipped_programs() -> None:
    written = small(names=(b"make", b"", b"g++", b"x" * 5000))

    assert [written.skips(name) for name in (b"make", b"", b"g++", b"mak", b"x" * 5000)] == [
        True,
        True,
        True,
        False,
        False,
    ]


def test_slots() -> None:
    written = small(Prefix(b"/srv", ASK))

    assert written.lookup(b"/srv/x") == 0
    assert written.table.add_slot(b"/srv/x", READ)
    assert written.lookup(b"/srv/x") == READ
    assert written.table.add_slot(b"/srv/x", CHANGE)
    assert written.lookup(b"/srv/x") == BOTH
    assert written.lookup(b"/srv/X") == 0


def test_a_full_table_takes_no_more() -> None:
    written = small(slots=64)
    paths = [b"/%d" % number for number in range(40)]

    taken = [path for path in paths if written.table.add_slot(path, READ)]

    assert taken == paths[:16]
    assert [path for path in paths if written.lookup(path)] == taken
    assert written.table.add_slot(paths[0], CHANGE)


def test_texts_stay_in_the_table() -> None:
    written = small(room=16)

    assert written.table.add_slot(b"/" + b"a" * 11, READ)
    assert not written.table.add_slot(b"/" + b"b" * 11, READ)
    assert written.table.add_slot(b"/c", READ)
    assert not small(room=1 << 20).table.add_slot(b"/" + b"long/" * 14000, READ)


@given(st.binary(max_size=40))
def test_hash_is_the_readers(path: bytes) -> None:
    written = small()
    clean = b"/" + path.replace(b"/", b"x").replace(b".", b"x").replace(b"\0", b"x")

    assert written.table.add_slot(clean, READ)
    assert written.lookup(clean) == READ
    assert 0 < hash_path(path) < 1 << 64


@settings(max_examples=300, deadline=None)
@given(some_rules, st.lists(some_paths, max_size=8), st.lists(some_paths, max_size=20))
def test_layers_never_decide_otherwise_than_the_rules(files: FileRules, known: list[bytes], paths: list[bytes]) -> None:
    rules, prefixes = Rules(files), derive_prefixes(files)
    written = Written(plan_table(prefixes, (), slots=64, room=4096))
    for path in known:
        flags = SlotFlag(0)
        for changing, flag in ((False, READ), (True, CHANGE)):
            verdict = rules.decide(path, changing)
            if verdict.side is Side.LOCAL and not verdict.mapped:
                flags |= flag
        written.table.add_slot(path, flags)

    for path in paths + known:
        assert is_clean(path)
        found = written.lookup(path)
        covering = next((prefix.verdict for prefix in prefixes if is_below(path.lower(), prefix.text)), ASK)
        assert (found == BOTH) or covering is ASK
        for changing, flag in ((False, READ), (True, CHANGE)):
            if found & flag:
                verdict = rules.decide(path, changing)
                assert (verdict.side, verdict.mapped) == (Side.LOCAL, False)


def test_flags() -> None:
    assert table_flags(file_rules()) == TableFlag.NONE
    assert table_flags(file_rules(mapping=(("a", "b"),))) == TableFlag.CHANGES_ASK
    assert table_flags(file_rules(not_found=("a",))) == TableFlag.CHANGES_ASK | TableFlag.RELATIVE_ASK
    assert table_flags(file_rules(mode=Mode.LOCAL, not_found=("a",))) == TableFlag.OFF
    assert table_flags(file_rules(read_only=("a",), local=("b",))) == TableFlag.NONE


def test_a_table_of_the_usual_size_is_memory_only_where_it_was_written_to() -> None:
    plan = plan_table(derive_prefixes(file_rules()), (b"make",))
    descriptor = os.memfd_create("table")
    os.truncate(descriptor, plan.size)
    with mmap.mmap(descriptor, plan.size) as memory:
        table = Table(memoryview(memory), plan, DEVICES, TableFlag.NONE)
        few = all(table.add_slot(b"/srv/venv/lib/%d" % number, READ) for number in range(100))
        used = os.fstat(descriptor).st_blocks * 512
        for length in range(8):  # wherever in a word names differ, they don't crowd
            few &= all(table.add_slot(b"/" + b"x" * length + b"%03d" % number, READ) for number in range(1000))
        table.close()

    assert few
    assert plan.size < 4 << 20
    assert used < 110 * 4096
    os.close(descriptor)


def test_ports_and_counters_of_the_network() -> None:
    """Written while layers look; read by the C side as well."""
    plan = plan_table([], [b"x"], slots=64, room=64)
    written = Written(plan)
    table = written.table
    ports = (0, 7, 8, 4711, 65535)
    for port in ports:
        table.set_own(port, own=True)
        table.set_relayed(port, relayed=port > 7)
    table.set_own(8, own=False)

    owned = {port for port in range(65536) if lib.table_owns(written.read, plan.size, port)}
    relayed = {port for port in range(65536) if lib.table_relays(written.read, plan.size, port)}
    assert (owned, relayed) == ({0, 7, 4711, 65535}, {8, 4711, 65535})
    table.set_network(NetworkFlag.UDP_LOCAL)
    table.count_relay()
    table.count_relay()
    table.count_relayed_datagrams()
    assert list(memoryview(written.memory)[80:104].cast("I")) == [4, 2, plan.own_offset, plan.relayed_offset, 1, 0]
    memoryview(written.memory)[84:88].cast("I")[0] = 0xFFFFFFFF
    table.count_relay()  # which is for ever more than none
    assert memoryview(written.memory)[84:88].cast("I")[0] == 0xFFFFFFFF


@pytest.mark.parametrize(
    ("rules", "flags"),
    [
        ({"unix_streams": ("x",)}, NetworkFlag(0)),
        ({"names": False, "tcp": False, "udp": False, "hostname": False, "ipv6": False, "ignore_localhost": True},
         NetworkFlag(1 + 2 + 4 + 8 + 32 + 64 + 128)),
        ({"tcp": False, "incoming": IncomingRules(mode=IncomingMode.OFF)}, NetworkFlag(2 + 8 + 16)),
        ({"incoming": IncomingRules(mode=IncomingMode.OFF, listen_ports=((1, 2),))}, NetworkFlag(8)),
        ({"incoming": IncomingRules(listen_ports=((1, 2),))}, NetworkFlag(8 + 256)),
    ],
)  # fmt: skip
def test_flags_of_the_network(rules: dict[str, Any], flags: NetworkFlag) -> None:
    assert network_flags(NetworkRules(**rules)) == flags
