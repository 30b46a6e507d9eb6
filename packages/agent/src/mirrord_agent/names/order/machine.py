"""In which order a program should try a name's addresses: RFC 6724's rules with the tables of glibc. No I/O.

glibc keeps the tables of RFC 3484, in which unique local addresses (fc00::/7) go before IPv4 ones; what a program on the
target would do is what counts here. Source addresses and interfaces come from driver.py.
"""

from __future__ import annotations

import functools
import ipaddress
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mirrord_agent.names.numeric import MAPPED, pton6
from mirrord_protocol.network_values import Families

MESSAGE = struct.Struct("=IHHII")  # nlmsghdr
ADDRESS = struct.Struct("=BBBBI")  # ifaddrmsg: family, prefix length, flags, scope, index
ATTRIBUTE = struct.Struct("=HH")
NLMSG_ERROR, NLMSG_DONE, RTM_NEWADDR = 2, 3, 20
IFA_ADDRESS, IFA_LOCAL, IFA_FLAGS = 1, 2, 8
IFA_F_DEPRECATED = 0x20
SYSTEM_FAMILIES = {2: 4, 10: 16}  # AF_INET, AF_INET6: the sizes of their addresses

Rows = tuple[tuple[bytes, int, int], ...]
"""A prefix of 16 bytes, its length in bits, the value; the longest prefix counts."""


def _rows(*rows: tuple[str, int, int]) -> Rows:
    return tuple((ipaddress.IPv6Address(prefix).packed, bits, value) for prefix, bits, value in rows)


@dataclass(frozen=True, slots=True)
class Tables:
    """What gai.conf(5) may change."""

    labels: Rows
    precedences: Rows


DEFAULT_TABLES = Tables(
    labels=_rows(
        ("::1", 128, 0),
        ("::", 0, 1),
        ("2002::", 16, 2),
        ("::", 96, 3),
        ("::ffff:0:0", 96, 4),
        ("fec0::", 10, 5),
        ("fc00::", 7, 6),
        ("2001::", 32, 7),
    ),
    precedences=_rows(("::1", 128, 50), ("::", 0, 40), ("2002::", 16, 30), ("::", 96, 20), ("::ffff:0:0", 96, 10)),
)


_ROW = re.compile(rb"\s*(label|precedence)\s+([^\s/]+)(?:/(\d{1,9}))?\s+(\d{1,9})\s*")


def parse_tables(data: bytes) -> Tables:
    """Parse gai.conf: one line of a kind replaces that whole table. What it says of IPv4 scopes isn't looked at."""
    found: dict[bytes, list[tuple[bytes, int, int]]] = {b"label": [], b"precedence": []}
    for line in data.split(b"\n"):
        match = _ROW.fullmatch(line.partition(b"#")[0])
        if match and (host := pton6(match[2])) is not None and (bits := int(match[3] or b"128")) <= 128:
            found[match[1]].append((host, bits, int(match[4])))
    return Tables(
        tuple(found[b"label"]) or DEFAULT_TABLES.labels, tuple(found[b"precedence"]) or DEFAULT_TABLES.precedences
    )


LINK_LOCAL, SITE_LOCAL, GLOBAL = 2, 5, 14


@dataclass(frozen=True, slots=True)
class Interface:
    """An address that an interface of the target has."""

    host: bytes
    prefix: int
    deprecated: bool = False


def parse_interfaces(data: bytes) -> tuple[list[Interface], bool]:
    """Parse an answer to RTM_GETADDR; return the addresses in it, and whether it was the last one."""
    found: list[Interface] = []
    at = 0
    while at + MESSAGE.size <= len(data):
        length, kind, *_ = MESSAGE.unpack_from(data, at)
        if kind in {NLMSG_DONE, NLMSG_ERROR} or length < MESSAGE.size:
            return found, True
        if kind == RTM_NEWADDR and (interface := _interface(data[at + MESSAGE.size : at + length])):
            found.append(interface)
        at += length + 3 & ~3
    return found, False


def _interface(body: bytes) -> Interface | None:
    family, prefix, flags, _, _ = ADDRESS.unpack_from(body)
    attributes: dict[int, bytes] = {}
    at = ADDRESS.size
    while at + ATTRIBUTE.size <= len(body):
        length, kind = ATTRIBUTE.unpack_from(body, at)
        if length < ATTRIBUTE.size:
            break
        attributes[kind] = body[at + ATTRIBUTE.size : at + length]
        at += length + 3 & ~3
    host = attributes.get(IFA_LOCAL, attributes.get(IFA_ADDRESS, b""))
    if len(host) != SYSTEM_FAMILIES.get(family):
        return None
    if IFA_FLAGS in attributes:
        flags = int.from_bytes(attributes[IFA_FLAGS][:4], "little")
    return Interface(host, prefix, bool(flags & IFA_F_DEPRECATED))


def configured(interfaces: Sequence[Interface], families: Families) -> Families:
    """Return the families that AI_ADDRCONFIG leaves of some; a family has an address where it isn't loopback's."""
    loopbacks = {bytes([127, 0, 0, 1]), bytes(15) + b"\1"}
    seen = {len(each.host) for each in interfaces if each.host not in loopbacks}
    have = (Families.IPV4 if 4 in seen else Families(0)) | (Families.IPV6 if 16 in seen else Families(0))
    if families == Families.IPV4 | Families.IPV6:
        return have or families  # with neither, glibc asks for both
    return families & have


def sort(
    hosts: Sequence[bytes],
    sources: Mapping[bytes, bytes],
    interfaces: Sequence[Interface],
    tables: Tables = DEFAULT_TABLES,
) -> list[bytes]:
    """Return addresses in the order to try them; `sources` has the source address of each that can be reached."""
    known = {each.host: each for each in interfaces}
    ranked = [_Ranked.of(host, sources.get(host), known, tables) for host in hosts]
    return [each.host for each in sorted(ranked, key=functools.cmp_to_key(_compare))]


@dataclass(frozen=True, slots=True)
class _Ranked:
    host: bytes
    source: bytes | None
    scope: int
    source_scope: int
    label: int
    source_label: int
    precedence: int
    interface: Interface | None

    @classmethod
    def of(cls, host: bytes, source: bytes | None, known: Mapping[bytes, Interface], tables: Tables) -> _Ranked:
        return cls(
            host=host,
            source=source,
            scope=_scope(host),
            source_scope=_scope(source) if source else -1,
            label=_lookup(tables.labels, host),
            source_label=_lookup(tables.labels, source) if source else -1,
            precedence=_lookup(tables.precedences, host),
            interface=known.get(source) if source else None,
        )

    @property
    def common(self) -> int:
        """How many bits destination and source share; for IPv4 only within a subnet, as glibc has it."""
        if self.source is None or len(self.source) != len(self.host):
            return 0
        bits = 8 * len(self.host)
        differ = int.from_bytes(self.host, "big") ^ int.from_bytes(self.source, "big")
        shared = bits - differ.bit_length()
        if len(self.host) == 4:
            return shared if self.interface and shared >= self.interface.prefix else 0
        return shared


def _compare(one: _Ranked, other: _Ranked) -> int:
    """Return a negative number if `one` goes first; sorting is stable, which is rule 10."""
    rules: list[tuple[int, int]] = [
        (one.source is not None, other.source is not None)
    ]  # 1: what can't be reached goes last
    if one.source is not None and other.source is not None:
        rules += [
            (one.scope == one.source_scope, other.scope == other.source_scope),  # 2: matching scope
            (not _deprecated(one), not _deprecated(other)),  # 3: source not deprecated
            (one.label == one.source_label, other.label == other.source_label),  # 5: matching label
        ]
    rules += [(one.precedence, other.precedence), (-one.scope, -other.scope)]  # 6, 8: precedence, smaller scope
    if one.source is not None and other.source is not None and len(one.host) == len(other.host):
        rules.append((one.common, other.common))  # 9: longest matching prefix
    for ours, its in rules:
        if ours != its:
            return -1 if ours > its else 1
    return 0


def _deprecated(ranked: _Ranked) -> bool:
    return ranked.interface is not None and ranked.interface.deprecated


def _lookup(rows: Rows, host: bytes) -> int:
    number = int.from_bytes(host if len(host) == 16 else MAPPED + host, "big")
    fitting = [
        (bits, value) for prefix, bits, value in rows if not (number ^ int.from_bytes(prefix, "big")) >> (128 - bits)
    ]
    return max(fitting)[1] if fitting else 0


def _scope(host: bytes) -> int:
    if len(host) == 4:
        return LINK_LOCAL if host[0] == 127 or host[:2] == bytes([169, 254]) else GLOBAL
    if host[0] == 0xFF:
        return host[1] & 0xF
    top = int.from_bytes(host[:2], "big") >> 6
    if top == 0xFE80 >> 6 or host == bytes(15) + b"\1":
        return LINK_LOCAL
    return SITE_LOCAL if top == 0xFEC0 >> 6 else GLOBAL
