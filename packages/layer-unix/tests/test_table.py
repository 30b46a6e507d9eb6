"""The shared table: what the C reader finds in what the writer of layer_table.py wrote, and in garbage."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from layer_guard import Guarded
from layer_table import ASK, CHANGE, LOCAL, OWN_AT, READ, RELAYED_AT, Prefix, add_slot, encode_table, mark_port
from mirrord_layer_unix._pure import ffi, lib

BOTH = READ | CHANGE
PREFIXES = [
    Prefix(b"/", LOCAL),
    Prefix(b"/srv", ASK),
    Prefix(b"/srv/cache", LOCAL),
    Prefix(b"/Data", ASK, fold=True),
    Prefix(b"/Data/With/A/Long/Name", LOCAL, fold=True),
    Prefix(b"/eight08", LOCAL),
]


def lookup(table: bytes | bytearray, path: bytes) -> int:
    memory = ffi.from_buffer(table)
    flags: int = lib.table_lookup(ffi.cast("struct table *", memory), len(table), path, len(path))
    return flags


def is_valid(table: bytes | bytearray, size: int | None = None) -> bool:
    memory = ffi.from_buffer(table)
    return bool(lib.table_valid(ffi.cast("struct table *", memory), len(table) if size is None else size))


def knows(table: bytes | bytearray, name: bytes) -> bool:
    memory = ffi.from_buffer(table)
    return bool(lib.table_names(ffi.cast("struct table *", memory), len(table), name, len(name)))


def covers(table: bytes | bytearray, path: bytes) -> bool:
    memory = ffi.from_buffer(table)
    return bool(lib.table_covers(ffi.cast("struct table *", memory), len(table), path, len(path)))


def slotted(paths: dict[bytes, int], prefixes: list[Prefix] | None = None, slots: int = 64) -> bytearray:
    table = encode_table(prefixes=prefixes or [], slots=slots)
    at = len(table) - (1 << 16)
    for path, flags in paths.items():
        at = add_slot(table, path, flags, at)
    return table


@pytest.mark.parametrize(
    ("path", "flags"),
    [
        (b"/", BOTH),
        (b"/usr/lib/x", BOTH),
        (b"/srv", 0),
        (b"/srv/x", 0),
        (b"/srvx", BOTH),
        (b"/srv/cache", BOTH),
        (b"/srv/cache/x", BOTH),
        (b"/srv/cachex", 0),
        (b"/data/x", 0),
        (b"/DATA/x", 0),
        (b"/dAtA/WITH/a/lonG/name/x", BOTH),
        (b"/dAtA/WITH/a/lonG/namex", 0),
        (b"/SRV/x", BOTH),
        (b"/eight08/x", BOTH),
    ],
)
def test_first_prefix_that_covers_decides(path: bytes, flags: int) -> None:
    assert lookup(encode_table(prefixes=PREFIXES), path) == flags


@pytest.mark.parametrize(
    ("path", "covered"),
    [
        (b"/", False),
        (b"/usr", True),
        (b"/usr/lib/x", True),
        (b"/sr", True),
        (b"/srv", False),
        (b"/srv/x", False),
        (b"/srv/cache/x", True),
        (b"/deep", False),
        (b"/deep/er", False),
        (b"/deep/er/stil", True),
        (b"/deep/er/still/x", False),
        (b"/DEEP/er", True),
        (b"/folded/X", False),
        (b"/usr/", False),
        (b"/usr/../srv", False),
        (b"usr", False),
    ],
)
def test_what_is_local_with_all_below_it(path: bytes, covered: bool) -> None:
    more = [Prefix(b"/deep/er/still", ASK), Prefix(b"/FOLDED/x/y", ASK, fold=True)]
    assert covers(encode_table(prefixes=[*PREFIXES, *more]), path) is covered


def test_nothing_is_covered_without_prefixes() -> None:
    assert not covers(slotted({b"/a": BOTH}), b"/a")


@pytest.mark.parametrize(
    "path",
    [b"", b"x", b"x/y", b"//", b"/a/", b"/a//b", b"/.", b"/..", b"/a/.", b"/a/..", b"/a/./b", b"/a/../b", b"/../a"],
)
def test_unclean_paths_are_asked_about(path: bytes) -> None:
    table = slotted({path: BOTH}, [Prefix(b"/", LOCAL)])

    assert lookup(table, path) == 0


@pytest.mark.parametrize("path", [b"/.a", b"/..a", b"/...", b"/a/.b", b"/a/..b", b"/a/b.", b"/a/b.."])
def test_dots_within_names_are_clean(path: bytes) -> None:
    assert lookup(encode_table(prefixes=[Prefix(b"/", LOCAL)]), path) == BOTH


def test_slots() -> None:
    table = slotted({b"/a": READ, b"/b": CHANGE, b"/srv/x": BOTH}, [Prefix(b"/srv", ASK)])

    assert [lookup(table, path) for path in (b"/a", b"/b", b"/c", b"/srv/x", b"/srv/y")] == [READ, CHANGE, 0, BOTH, 0]


def test_colliding_slots_are_all_found() -> None:
    paths = {b"/%d" % number: READ for number in range(24)}
    table = slotted(paths, slots=32)

    assert [path for path in paths if lookup(table, path) != READ] == []
    assert lookup(table, b"/24") == 0


def test_names() -> None:
    table = encode_table(names=[b"make", b"", b"gcc"])

    assert [knows(table, name) for name in (b"make", b"gcc", b"mak", b"makee", b"gc")] == [True, True, *[False] * 3]


def test_validity() -> None:
    table = encode_table(prefixes=PREFIXES, names=[b"make"])

    assert is_valid(table)
    assert not is_valid(table, len(table) - 1)
    assert not is_valid(b"x" * 103)
    assert not is_valid(bytes(table).replace(b"MIRRORDT", b"MIRRORDS"))
    for damage in ((8, 1), (8, 3), (OWN_AT + 3, 1), (RELAYED_AT + 3, 1)):
        damaged = bytearray(table)
        damaged[damage[0]] = damage[1]
        assert not is_valid(damaged)


@pytest.mark.parametrize(("which", "knows_port"), [(OWN_AT, lib.table_owns), (RELAYED_AT, lib.table_relays)])
def test_ports(which: int, knows_port: Callable[[Any, int, int], bool]) -> None:
    table = encode_table()
    marked = [0, 1, 7, 8, 80, 443, 32768, 65535]
    for port in (*marked, 9):
        mark_port(table, which, port)
    mark_port(table, which, 9, on=False)
    memory = ffi.cast("struct table *", ffi.from_buffer(table))

    assert [port for port in range(65536 + 16) if knows_port(memory, len(table), port)] == marked
    assert not any(knows_port(memory, 80, port) for port in marked)


def truth(prefixes: list[Prefix], slots: dict[bytes, int], path: bytes) -> int:
    """What docs/layer.md says, in the plainest way."""
    parts = path.split(b"/")
    if not path.startswith(b"/") or (path != b"/" and any(part in {b"", b".", b".."} for part in parts[1:])):
        return 0
    for prefix in sorted(prefixes, key=lambda each: len(each.text), reverse=True):
        text, other = (prefix.text.lower(), path.lower()) if prefix.fold else (prefix.text, path)
        if other == text or other.startswith(text.rstrip(b"/") + b"/"):
            if prefix.verdict == LOCAL:
                return BOTH
            break
    return slots.get(path, 0)


names = st.sampled_from([b"a", b"A", b"bb", b"seven77", b"eight888", b".", b"..", b"", b".h", b"\xff"])
paths = st.lists(names, max_size=5).map(lambda parts: b"/" + b"/".join(parts))
clean = paths.filter(lambda path: truth([Prefix(b"/", LOCAL)], {}, path) == BOTH)
prefixes = st.lists(
    st.builds(Prefix, clean, st.sampled_from([LOCAL, ASK]), st.booleans()),
    max_size=6,
    unique_by=lambda each: len(each.text),
)


@given(prefixes, st.dictionaries(clean, st.integers(1, 3), max_size=8), paths)
@example([Prefix(b"/", ASK)], {b"/": READ}, b"/")
def test_reader_agrees_with_the_page(prefixes: list[Prefix], slots: dict[bytes, int], path: bytes) -> None:
    assert lookup(slotted(slots, prefixes), path) == truth(prefixes, slots, path)


@pytest.mark.fuzz
@pytest.mark.slow
def test_no_damaged_table_leads_outside_of_it() -> None:
    """The reader gets the table at the very end of readable memory: a step beyond it would end this process."""
    generator = random.Random(1)
    good = bytes(slotted({b"/a": READ, b"/srv/x": BOTH}, PREFIXES)[: -(1 << 15)])
    ends = time.monotonic() + 60
    asked = [b"/", b"/a", b"/srv/x", b"/data/x", b"/srv/cache/x", b"/" + b"long" * 50]
    guard = Guarded(len(good))
    for count in itertools.count():
        if count % 256 == 0 and time.monotonic() > ends:
            break
        damaged = bytearray(good)
        for _ in range(generator.randint(1, 8)):
            at = generator.randrange(104 if generator.random() < 0.7 else 400)
            damaged[at] = generator.choice([0, 1, 0x7F, 0x80, 0xFF, generator.randrange(256)])
        table = ffi.cast("struct table *", guard.put(bytes(damaged)))
        lib.table_valid(table, len(good))
        for path in asked:
            lib.table_lookup(table, len(good), path, len(path))
        lib.table_names(table, len(good), b"make", 4)
        for port in (0, 65535):
            lib.table_owns(table, len(good), port)
            lib.table_relays(table, len(good), port)
