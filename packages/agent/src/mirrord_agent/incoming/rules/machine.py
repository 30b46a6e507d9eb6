"""The rules that redirect a port, in the words of libnftables, and what its answers mean. No I/O.

A table for each port, owned by the agent: when it dies, the kernel removes them. NAT is decided once for a connection,
by the first chain that changes it, the lowest priority first; other translators (iptables, service meshes) are at -100.
Tables are made by text: libnftables 1.0.6 ignores `flags` in JSON, and writes rubbish in their place.
"""

from __future__ import annotations

import errno
import json
import os
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mirrord_protocol.failure import RemoteError
from mirrord_protocol.values import Failure, FailureKind

FAMILY = "inet"
BEFORE_OTHERS = -110
AFTER_OTHERS = -90
KEEPER_PRIORITY = 1000
OLDEST_KERNEL = (5, 12)
_COMMENT = re.compile(r'^\tcomment "(.*)"$', re.MULTILINE)
_RELEASE = re.compile(r"(\d+)\.(\d+)")


# ---------------------------------------------------------------------------------------------- meshes


@dataclass(frozen=True, slots=True)
class Mesh:
    """A service mesh whose proxy sits beside the target and takes all of its connections."""

    name: str
    chains: tuple[str, ...]
    """Beginnings of names that its chains have, by which it is known."""
    user: int
    """Whom its proxy runs as."""
    mark: tuple[int, int] | None = None
    """Mark and mask of its connections, where that is how it tells them."""


MESHES = (
    Mesh("istio", ("ISTIO_", "istio-"), 1337, (0x539, 0xFFF)),
    Mesh("linkerd", ("PROXY_INIT_",), 2102),
    Mesh("kuma", ("KUMA_MESH_",), 5678),
    Mesh("consul", ("CONSUL_PROXY_",), 5995),
)


def mesh_among(chains: Iterable[str]) -> Mesh | None:
    """Return the mesh whose chains are among these names, if there is one."""
    names = tuple(chains)
    return next((mesh for mesh in MESHES if any(name.startswith(mesh.chains) for name in names)), None)


# Rules of iptables-legacy are another part of the kernel's, which nftables doesn't show: linux/netfilter_ipv4/ip_tables.h.
LEGACY_GET_INFO, LEGACY_GET_ENTRIES = 64, 65
LEGACY_INFO = struct.Struct("=32s 4x 20x 20x 4x I")
_LEGACY_ASK = struct.Struct("=32s I 4x")
LEGACY_TABLE = b"nat"


def ask_legacy_entries(size: int) -> bytes:
    """Return the value that LEGACY_GET_ENTRIES takes, and gives back filled, for entries of `size` bytes."""
    return _LEGACY_ASK.pack(LEGACY_TABLE, size) + bytes(size)


def legacy_chains(entries: bytes) -> list[str]:
    """Return what may be names of chains in entries of iptables-legacy: each stands at its chain's beginning."""
    return [name.decode() for name in re.findall(rb"[A-Za-z][\w-]{2,}", entries)]


# ---------------------------------------------------------------------------------------------- commands


def table_name(port: int) -> str:
    """Return the name of a port's table: the same for all agents, so that only one can have it."""
    return f"mirrord_{port}"


def create_table(name: str, comment: str) -> str:
    """Return the command that makes a table ours; `comment` has neither quotes nor control characters."""
    return f'create table {FAMILY} {name} {{ flags owner; comment "{comment}"; }}'


def delete_table(name: str) -> str:
    """Return the command that removes a table of ours."""
    return f"delete table {FAMILY} {name}"


def show_table(name: str) -> str:
    """Return the command whose output `comment_in` reads."""
    return f"list table {FAMILY} {name}"


def probe(name: str) -> str:
    """Return a command that makes a table and takes it back at once: nothing of it is ever seen."""
    return f"create table {FAMILY} {name} {{ flags owner; }}; delete table {FAMILY} {name}"


def keep_translating(table: str) -> list[dict[str, Any]]:
    """Return the commands of a table that does nothing but keep the kernel translating.

    It stops to translate connections that were redirected before with the last chain of type nat, and to track them
    with the last expression that needs that, a moment later.
    """
    established = _match({"ct": {"key": "state"}}, "established")  # no such packet is ever asked about
    return [
        _chain(table, "keep", "output", KEEPER_PRIORITY),
        _rule(table, "keep", [established, {"accept": None}]),
    ]


def redirect(port: int, listener: int, *, mark: int, loopback: bool, mesh: Mesh | None) -> list[dict[str, Any]]:
    """Return the commands that fill a port's table: new connections to `port` go to the port `listener`.

    Where a mesh's proxy takes what comes from outside, it is first, and its own connections to the target, which it
    has decrypted, are ours: they come over loopback, so without `loopback` too.
    """
    table, priority = table_name(port), AFTER_OTHERS if mesh else BEFORE_OTHERS
    to_target = [
        _match(_meta("mark"), mark, "!="),
        _match(_field("dport"), port),
        # Only a beginning: what is established stays where it is, also when the kernel sees it for the first time.
        _match({"&": [_field("flags"), ["fin", "syn", "rst", "ack"]]}, "syn"),
    ]
    away = [{"redirect": {"port": listener}}]
    # Not what this machine passes on to others.
    local = _match({"fib": {"result": "type", "flags": ["daddr"]}}, "local")
    commands = [
        _chain(table, "prerouting", "prerouting", priority),
        _rule(table, "prerouting", [local, *to_target, *away]),
    ]
    if loopback or mesh:
        commands.append(_chain(table, "output", "output", priority))
        whose = [[]] if loopback or mesh is None else _of_proxy(mesh)
        over_loopback = _match(_meta("oifname"), "lo")
        commands += [_rule(table, "output", [over_loopback, *who, *to_target, *away]) for who in whose]
    return commands


def _of_proxy(mesh: Mesh) -> list[list[dict[str, Any]]]:
    """Return the matches, one of which a connection of the mesh's proxy meets."""
    ways = [[_match(_meta("skuid"), mesh.user)]]
    if mesh.mark is not None:
        value, mask = mesh.mark
        ways.append([_match({"&": [_meta("mark"), mask]}, value)])
    return ways


def _chain(table: str, name: str, hook: str, priority: int) -> dict[str, Any]:
    return {
        "add": {
            "chain": {
                "family": FAMILY, "table": table, "name": name,
                "type": "nat", "hook": hook, "prio": priority, "policy": "accept",
            }
        }
    }  # fmt: skip


def _rule(table: str, chain: str, expression: list[dict[str, Any]]) -> dict[str, Any]:
    return {"add": {"rule": {"family": FAMILY, "table": table, "chain": chain, "expr": expression}}}


def _match(left: dict[str, Any], right: object, operator: str = "==") -> dict[str, Any]:
    return {"match": {"op": operator, "left": left, "right": right}}


def _meta(key: str) -> dict[str, Any]:
    return {"meta": {"key": key}}


def _field(name: str) -> dict[str, Any]:
    return {"payload": {"protocol": "tcp", "field": name}}


# ---------------------------------------------------------------------------------------------- answers


def comment_in(listing: str) -> str | None:
    """Return the comment of a listed table."""
    match = _COMMENT.search(listing)
    return match[1] if match else None


def chains_in(listing: str) -> list[str]:
    """Return the names in a listing of chains, which is JSON."""
    return [each["chain"]["name"] for each in json.loads(listing)["nftables"] if "chain" in each]


_NAMES = sorted(((os.strerror(code), name) for code, name in errno.errorcode.items()), key=lambda each: -len(each[0]))


def errno_name(error: str) -> str:
    """Return the errno in what libnftables says went wrong; it says no number. The longest: some contain others."""
    return next((name for text, name in _NAMES if text in error), "EIO")


def refused(error: str) -> RemoteError:
    """Return the failure for rules that the kernel, or libnftables, didn't take."""
    line = error.strip().partition("\n")[0].removeprefix("Error: ")
    text = f"the rules for incoming connections were refused: {line}"
    return RemoteError(Failure(FailureKind.SYSTEM, errno_name(error), text))


# ---------------------------------------------------------------------------------------------- what is lacking

NO_LIBRARY = Failure(
    FailureKind.UNSUPPORTED,
    None,
    "incoming connections need libnftables, which isn't there: install it (Debian and Ubuntu: libnftables1, "
    "Fedora and Alpine: nftables)",
)
NO_RIGHTS = Failure(
    FailureKind.FORBIDDEN,
    None,
    "incoming connections need the capability NET_ADMIN in the target's network namespace, which the agent lacks: "
    "run mirrord as root, or choose a target in a user namespace of yours",
)
NO_TABLES = Failure(
    FailureKind.UNSUPPORTED, None, "incoming connections need nf_tables, which the target's kernel lacks"
)


def lacking(error: str, release: str) -> Failure:
    """Return what a failed probe means; `release` is the kernel's, as uname has it."""
    name = errno_name(error)
    if name in {"EPERM", "EACCES"}:
        return NO_RIGHTS
    match = _RELEASE.match(release)
    if match and (int(match[1]), int(match[2])) < OLDEST_KERNEL:
        text = f"incoming connections need Linux 5.12 or newer (tables that go with their owner), this is {release}"
        return Failure(FailureKind.UNSUPPORTED, None, text)
    if name in {"EPROTONOSUPPORT", "EAFNOSUPPORT", "EOPNOTSUPP", "ENOTSUP", "ENOENT"}:
        return NO_TABLES
    return refused(error).failure
