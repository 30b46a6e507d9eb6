"""What /etc/resolv.conf and the `hosts` line of /etc/nsswitch.conf say, as the target's C library reads them. No I/O.

What is wrong in them is left out without a word, as the C library does. Where there is no file, its defaults hold.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from mirrord_agent.names.numeric import aton, scoped, takes_interface

SERVERS = 3
SEARCH_LIMIT = 64
"""glibc has had no limit since 2.26 (6 before), Kubernetes allows 32; this keeps a lookup from taking for ever."""
NDOTS_LIMIT = 15
TIMEOUT_LIMIT = 30
ATTEMPTS_LIMIT = 5
DEFAULT_HOST = bytes([127, 0, 0, 1])


# ---------------------------------------------------------------------------------------------- resolv.conf


@dataclass(frozen=True, slots=True)
class NameServer:
    """A DNS server; its port is always 53 in a file."""

    host: bytes
    scope: bytes = b""
    """An interface's name or number, of a link-local address."""
    port: int = 53


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolver:
    """What resolv.conf(5) says."""

    servers: tuple[NameServer, ...] = (NameServer(DEFAULT_HOST),)
    search: tuple[bytes, ...] = ()
    ndots: int = 1
    timeout: int = 5
    """Seconds."""
    attempts: int = 2
    rotate: bool = False
    tcp: bool = False
    one_by_one: bool = False
    """Ask for IPv6 addresses only after the answer about IPv4 ones."""
    no_ipv6: bool = False
    """Never ask for IPv6 addresses."""
    extended: bool = False
    """Ask with EDNS."""
    trust_ad: bool = False
    no_single_names: bool = False
    """Never ask for a name of one label as it is."""


_FLAGS = {
    b"rotate": "rotate",
    b"use-vc": "tcp",
    b"single-request": "one_by_one",
    b"single-request-reopen": "one_by_one",
    b"no-aaaa": "no_ipv6",
    b"edns0": "extended",
    b"trust-ad": "trust_ad",
    b"no-tld-query": "no_single_names",
}
_NUMBERS = {
    b"ndots": ("ndots", NDOTS_LIMIT, 0),
    b"timeout": ("timeout", TIMEOUT_LIMIT, 1),
    b"attempts": ("attempts", ATTEMPTS_LIMIT, 1),
}


def parse_resolver(data: bytes, hostname: bytes, variables: Mapping[bytes, bytes] = MappingProxyType({})) -> Resolver:
    """Parse resolv.conf; without a search list there, the domain of the hostname is searched.

    The target's variables LOCALDOMAIN and RES_OPTIONS go before the file.
    """
    servers: list[NameServer] = []
    search: list[bytes] | None = None
    found = Resolver()
    for line in data.split(b"\n"):
        keyword, *words = line.split() or [b""]
        if not line.startswith(keyword) or not words:
            continue
        match keyword:
            case b"nameserver" if len(servers) < SERVERS and (server := _server(words[0])):
                servers.append(server)
            case b"domain":
                search = words[:1]
            case b"search":
                search = words[:SEARCH_LIMIT]
            case b"options":
                for word in words:
                    found = _with_option(found, word)
    for word in variables.get(b"RES_OPTIONS", b"").split():
        found = _with_option(found, word)
    if domains := variables.get(b"LOCALDOMAIN", b"").split():
        search = domains[:SEARCH_LIMIT]
    if search is None:
        _, dot, domain = hostname.partition(b".")
        search = [domain] if dot and domain else []
    names = tuple(name.lstrip(b".") if name != b"." else b"" for name in search)
    return replace(found, servers=tuple(servers) or found.servers, search=names)


def _server(text: bytes) -> NameServer | None:
    text = re.split(rb"[;#]", text)[0]
    if (host := aton(text)) is not None:
        return NameServer(host)
    if (pair := scoped(text)) is None or (pair[1] and not takes_interface(pair[0])):
        return None
    return NameServer(*pair)


def _with_option(found: Resolver, word: bytes) -> Resolver:
    name, _, value = word.partition(b":")
    if flag := _FLAGS.get(name):
        return replace(found, **{flag: True})  # type: ignore[arg-type]
    if name in _NUMBERS and (digits := re.match(rb"\d{1,9}", value)):
        field, most, least = _NUMBERS[name]
        return replace(found, **{field: max(least, min(most, int(digits[0])))})  # type: ignore[arg-type]
    return found


# ---------------------------------------------------------------------------------------------- nsswitch.conf


class Status(enum.Enum):
    """How a service ended, in nsswitch.conf's words."""

    SUCCESS = b"SUCCESS"
    NOT_FOUND = b"NOTFOUND"
    UNAVAILABLE = b"UNAVAIL"
    TRY_AGAIN = b"TRYAGAIN"


@dataclass(frozen=True, slots=True)
class Service:
    """A source of names, and with which endings of it the search ends."""

    name: bytes
    returns: frozenset[Status] = frozenset({Status.SUCCESS})


DEFAULT_SERVICES = (Service(b"files"), Service(b"dns"))
_ITEM = re.compile(rb"\[([^\]]*)\]|([^\s\[]+)")
_ACTION = re.compile(rb"(!?)([A-Za-z]+)\s*=\s*([A-Za-z]+)")


def parse_services(data: bytes) -> tuple[Service, ...]:
    """Return the services of the `hosts` line of nsswitch.conf."""
    for line in data.split(b"\n"):
        database, colon, rest = line.partition(b"#")[0].partition(b":")
        if colon and database.strip() == b"hosts":
            services: list[Service] = []
            for actions, name in _ITEM.findall(rest):
                if name:
                    services.append(Service(name))
                elif services:
                    services[-1] = _with_actions(services[-1], actions)
            return tuple(services) or DEFAULT_SERVICES
    return DEFAULT_SERVICES


def _with_actions(service: Service, text: bytes) -> Service:
    returns = set(service.returns)
    for negated, word, action in _ACTION.findall(text):
        try:
            status = Status(word.upper())
        except ValueError:
            continue
        meant = set(Status) - {status} if negated else {status}
        # `merge` is of use for groups alone: with hosts it is as `return` once something was found.
        returns = returns | meant if action.lower() in {b"return", b"merge"} else returns - meant
    return replace(service, returns=frozenset(returns))
