"""Speaks to nftables through libnftables. What it says is machine.py's.

One context lives as long as the agent: its netlink socket owns the tables, and nobody else may change them. The calls
take a few milliseconds and wait for nobody, so they are made in the event loop: a table is never half made.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import socket
from typing import Any

import nftables  # a small module; the library itself is loaded by its class

from mirrord_agent.incoming import machine as ports
from mirrord_agent.incoming.rules import machine
from mirrord_agent.kernel import driver as kernel
from mirrord_protocol.values import Failure

NETLINK_NETFILTER = 12
LIBRARY = "libnftables.so.1"
LegacyTables = tuple[tuple[socket.AddressFamily, int], ...]
"""For each family, a descriptor of the list of iptables-legacy's tables."""


class Rules:
    """The agent's tables in the network namespace that it was in when this was made.

    Make it early: at the agent's death its descriptors are closed from the highest down, and the resets of redirected
    connections reach their clients only while the tables are there.
    """

    def __init__(self, legacy_tables: LegacyTables | None = None) -> None:
        """`legacy_tables`: from `open_legacy_tables`, if we had the right to open more then."""
        self.lacking: Failure | None = None
        """Why there can be no rules."""
        self._legacy_tables = open_legacy_tables() if legacy_tables is None else legacy_tables
        self._keeper = f"mirrord_agent_{secrets.token_hex(6)}"
        self._keeping = False
        self._tables: set[int] = set()
        self._nft: Any = None
        self.lacking = self._open()

    def _open(self) -> Failure | None:
        try:
            # libnftables ends the process if it can't have this.
            socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER).close()
        except OSError as error:
            return machine.lacking(os.strerror(error.errno or 0), os.uname().release)
        try:
            ctypes.CDLL(LIBRARY)
        except OSError:
            return machine.NO_LIBRARY
        self._nft = nftables.Nftables(LIBRARY)
        reason = self._run(machine.probe(self._keeper))
        return machine.lacking(reason, os.uname().release) if reason else None

    def close(self) -> None:
        """Let go of the context: the kernel removes what it owns."""
        self._nft = None
        self._tables.clear()
        self._keeping = False
        for _, fd in self._legacy_tables:
            os.close(fd)
        self._legacy_tables = ()

    # ------------------------------------------------------------------------------------------ ports

    def mesh(self) -> machine.Mesh | None:
        """Return the service mesh that is at work here, if there is one."""
        self._nft.set_json_output(True)
        try:
            code, listing, error = self._nft.cmd("list chains")
        finally:
            self._nft.set_json_output(False)
        if code:
            raise machine.refused(error)
        return machine.mesh_among([*machine.chains_in(listing), *_legacy_chains(self._legacy_tables)])

    def take(self, port: int, comment: str) -> None:
        """Make a port's table; its name is what keeps others away. Raises RemoteError, EADDRINUSE if it is taken."""
        if port in self._tables:
            raise ports.subscribed_already(port)
        name = machine.table_name(port)
        if error := self._run(machine.create_table(name, comment)):
            code, listing, _ = self._nft.cmd(machine.show_table(name))
            raise ports.held(port, machine.comment_in(listing)) if not code else machine.refused(error)
        self._tables.add(port)

    def redirect(self, port: int, listener: int, *, mark: int, loopback: bool, mesh: machine.Mesh | None) -> None:
        """Fill a port's table, so that its new connections go to `listener`. Raises RemoteError."""
        self._keep_translating()
        self._fill(machine.redirect(port, listener, mark=mark, loopback=loopback, mesh=mesh))

    def drop(self, port: int) -> None:
        """Remove a port's table: new connections go to the target again, redirected ones stay."""
        if port in self._tables:
            self._tables.remove(port)
            self._delete(machine.table_name(port))

    def drop_all(self) -> None:
        """Remove every port's table."""
        for port in sorted(self._tables):
            self.drop(port)

    # ------------------------------------------------------------------------------------------ redirected connections

    def _keep_translating(self) -> None:
        if not self._keeping:
            if error := self._run(machine.create_table(self._keeper, "for connections that were redirected")):
                raise machine.refused(error)
            self._keeping = True
            self._fill(machine.keep_translating(self._keeper))

    def rest(self) -> None:
        """Note that there are no redirected connections: without ports either, nothing stays in the namespace."""
        if self._keeping and not self._tables:
            self._keeping = False
            self._delete(self._keeper)

    # ------------------------------------------------------------------------------------------ commands

    def _delete(self, name: str) -> None:
        error = self._run(machine.delete_table(name))
        assert not error or machine.errno_name(error) == "ENOENT", error

    def _run(self, command: str) -> str:
        """Run a command; return what went wrong, or nothing."""
        code, _, error = self._nft.cmd(command)
        return (error or f"code {code}") if code else ""

    def _fill(self, commands: list[dict[str, Any]]) -> None:
        code, _, error = self._nft.json_cmd({"nftables": commands})
        if code:
            raise machine.refused(error)


def open_legacy_tables() -> LegacyTables:
    """Open the lists of iptables-legacy's tables in the network that we are in, as far as there are any and we may.

    They are root's alone; who is about to be somebody else opens them before.
    """
    opened: list[tuple[socket.AddressFamily, int]] = []
    for name, family in (("ip_tables_names", socket.AF_INET), ("ip6_tables_names", socket.AF_INET6)):
        try:
            opened.append((family, os.open(f"/proc/thread-self/net/{name}", os.O_RDONLY | os.O_CLOEXEC)))
        except OSError:
            continue  # the kernel has none of it, or we may not look
    return tuple(opened)


def _legacy_chains(tables: LegacyTables) -> list[str]:
    """Return the names of iptables-legacy's chains, as far as they can be seen."""
    found: list[str] = []
    for family, fd in tables:
        level = socket.SOL_IP if family == socket.AF_INET else socket.IPPROTO_IPV6
        try:
            if machine.LEGACY_TABLE not in os.pread(fd, 1 << 12, 0).split():
                continue  # and asking for it would make it
            with socket.socket(family, socket.SOCK_DGRAM) as asker:
                info = machine.LEGACY_INFO
                told = kernel.getsockopt(
                    asker.fileno(), level, machine.LEGACY_GET_INFO, machine.LEGACY_TABLE.ljust(info.size, b"\0")
                )
                asked = machine.ask_legacy_entries(info.unpack(told)[1])
                found += machine.legacy_chains(
                    kernel.getsockopt(asker.fileno(), level, machine.LEGACY_GET_ENTRIES, asked)
                )
        except OSError:
            continue  # we may not look
    return found
