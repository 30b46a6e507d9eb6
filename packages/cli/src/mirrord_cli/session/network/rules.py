"""Whose a connection, a listener or a name is: the section "Decision" of docs/network.md, in its order. No I/O.

What the user may write is read in the command line's config/; the names that belong to an address are known in names.py.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Iterable
from typing import Final, Literal

from mirrord_cli.session.settings import Filter, FilterEntry, IncomingMode, NetworkRules
from mirrord_protocol.network_values import Address

Protocol = Literal["tcp", "udp"]
LOCALHOST: Final = "localhost"
_MAPPED: Final = bytes(10) + b"\xff\xff"
_BROADCAST: Final = b"\xff" * 4


class NetworkDecisions:
    """A user's rules, ready to decide."""

    def __init__(self, rules: NetworkRules) -> None:
        self._debuggers: set[int] = set()
        self.rules = rules

    @property
    def rules(self) -> NetworkRules:
        """What is gone by; others may take their place before anything was decided."""
        return self._rules

    @rules.setter
    def rules(self, rules: NetworkRules) -> None:
        self._rules = rules
        self._unix = tuple(_compile(pattern).search for pattern in rules.unix_streams)
        incoming = rules.incoming
        self._target_ports = dict(incoming.port_mapping)
        self._bound_ports = dict(incoming.listen_ports)
        self._ignored = frozenset(incoming.ignore_ports)
        self._wanted = None if incoming.ports is None else frozenset(incoming.ports)

    # ------------------------------------------------------------------------------------------ outgoing

    def outgoing(
        self, protocol: Protocol, address: Address, names: Collection[str] = (), *, own: bool = False
    ) -> Address | None:
        """Return where a connection, or a datagram, of the target's goes; None: it is this machine's.

        Args:
            protocol: What kind of socket it is.
            address: Where the program wants to go.
            names: The names that belong to that address, as `names_to_know` asked for them.
            own: Whether its port is one of `own` in the shared table.
        """
        rules = self.rules
        if not (rules.tcp if protocol == "tcp" else rules.udp):
            return None
        host = plain_host(address.host)
        if not host or not address.port or is_for_many(host):
            return None
        if not any(host):  # unspecified: a kernel connects to loopback then
            host = b"\x7f\0\0\1" if len(host) == 4 else bytes(15) + b"\1"
        if is_loopback(host) and (own or rules.ignore_localhost or self.is_debuggers(address.port)):
            return None
        if not _passes(rules.outgoing_filter, protocol, host, address.port, names):
            return None
        return Address(host, address.port, address.scope)

    def names_to_know(self, protocol: Protocol, address: Address) -> tuple[str, ...]:
        """Return the filter's names that may decide about a destination: whether it is theirs has to be known."""
        found = self.rules.outgoing_filter
        host = plain_host(address.host)
        if found is None or not any(host):
            return ()
        entries = [entry for entry in found.entries if _fits(entry, protocol, address.port)]
        if any(not entry.name and _contains(entry.network, host) for entry in entries):
            return ()  # that decides already
        return tuple(dict.fromkeys(entry.name for entry in entries if entry.name not in {"", LOCALHOST}))

    def unix(self, path: bytes) -> bool:
        """Whether a Unix stream is the target's: a path, or NUL and an abstract name, which may be written with an `@`."""
        text = path.removeprefix(b"\0").rstrip(b"\0").decode(errors="replace")
        texts = (text, f"@{text}") if path.startswith(b"\0") else (text,)
        return any(search(each) for search in self._unix for each in texts)

    # ------------------------------------------------------------------------------------------ incoming

    def incoming(self, address: Address) -> int | None:
        """Return the target's port that a listener stands for; None: it is this machine's alone.

        Args:
            address: Where the program wanted to listen; another port may have been bound in its place.
        """
        rules, port = self.rules.incoming, address.port
        if rules.mode is IncomingMode.OFF or not port or port in self._ignored:
            return None
        host = plain_host(address.host)
        near = bool(host) and is_loopback(host)
        if near and rules.ignore_localhost:
            return None
        # A range is a guess, and may have a server's port in it; a debugger listens on loopback, unless told otherwise.
        if self.is_debuggers(port) if near else self._is_one_debuggers(port):
            return None
        wanted = self._target_ports.get(port, port)
        return wanted if self._wanted is None or wanted in self._wanted else None

    def bound_port(self, port: int) -> int | None:
        """Return the port that the user wants bound in place of this one; None: they said nothing of it."""
        return self._bound_ports.get(port)

    def is_debuggers(self, port: int) -> bool:
        """Whether the user, or a program's command line, said that a debugger has this port of loopback."""
        return port in self._debuggers or any(first <= port <= last for first, last in self.rules.debugger_ports)

    def _is_one_debuggers(self, port: int) -> bool:
        """Whether that was said of this port, not of a range."""
        return port in self._debuggers or (port, port) in self.rules.debugger_ports

    def add_debugger(self, port: int) -> bool:
        """Note that a debugger has a port of loopback; whether that is news."""
        if self.is_debuggers(port):
            return False
        self._debuggers.add(port)
        return True

    # ------------------------------------------------------------------------------------------ names

    def name(self, name: str, port: int = 0) -> bool:
        """Whether a name is resolved by the target.

        Args:
            name: As the program wrote it.
            port: That of the service asked for with it; 0 if none was.
        """
        if not self.rules.names:
            return False
        plain = plain_name(name)
        return plain != LOCALHOST and _passes(self.rules.name_filter, "", b"", port, (plain,))

    def reverse(self, address: Address, names: Collection[str] = ()) -> bool:
        """Whether the target is asked for an address's name; `names` are those that the target gave it already."""
        host = plain_host(address.host)
        if not self.rules.names or not any(host) or is_loopback(host):
            return False
        return _passes(self.rules.name_filter, "", host, 0, names)


def plain_host(host: bytes) -> bytes:
    """Return a host's address without the way in which IPv6 sockets write IPv4's."""
    return host[12:] if len(host) == 16 and host.startswith(_MAPPED) else host


def plain_name(name: str) -> str:
    """Return a host's name as filters have it: in lower case, without the dot at its end."""
    return name.lower().removesuffix(".")


def is_loopback(host: bytes) -> bool:
    """Whether an address, not one of IPv4 in IPv6, is this machine itself."""
    return host[0] == 127 if len(host) == 4 else host == bytes(15) + b"\1"


def is_for_many(host: bytes) -> bool:
    """Whether a datagram to an address goes to several hosts: multicast, broadcast."""
    return host == _BROADCAST or host[0] >> 4 == 14 if len(host) == 4 else host[0] == 0xFF


def _passes(
    found: Filter | None, protocol: str, host: bytes, port: int, names: Iterable[str]
) -> bool:  # fmt: skip
    """Whether something is remote by a filter."""
    if found is None:
        return True
    plain = {plain_name(name) for name in names}
    if host and is_loopback(host):
        plain.add(LOCALHOST)
    matched = any(
        _fits(entry, protocol, port) and (entry.name in plain if entry.name else _contains(entry.network, host))
        for entry in found.entries
    )
    return matched is found.remote


def _fits(entry: FilterEntry, protocol: str, port: int) -> bool:
    return entry.protocol in {"", protocol} and entry.port in {0, port}


def _contains(network: tuple[bytes, int] | None, host: bytes) -> bool:
    if network is None:
        return True
    base, bits = network
    rest = len(base) * 8 - bits
    return len(base) == len(host) and int.from_bytes(base) >> rest == int.from_bytes(host) >> rest


def _compile(pattern: str) -> re.Pattern[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the command line compiled it first, and ignored it too
        return re.compile(pattern)
