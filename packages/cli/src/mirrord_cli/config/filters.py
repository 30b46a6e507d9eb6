"""What a filter of destinations or names may write: `[tcp://|udp://][name|address|subnet][:port]`. What matches is
decided in session/network/rules.py.
"""

from __future__ import annotations

import ipaddress
import re

from mirrord_cli.session.settings import FilterEntry

PROTOCOLS = {"": "", "any": "", "tcp": "tcp", "udp": "udp"}
LONGEST = 253  # characters of a name, RFC 1035
EXAMPLE = "Write it like `10.0.0.0/8`, `tcp://db.shop:5432`, `[fd00::1]:80` or `:443`."
NAME = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.?", re.ASCII)
NUMBERS = re.compile(r"[0-9.]+(/.*)?", re.ASCII)
BRACKETS = re.compile(r"\[([^]/]*)(/[0-9]+)?\](/[0-9]+)?(?::(.*))?", re.ASCII)


class BadFilter(ValueError):
    """It names nothing; says why."""


def parse_filter(text: str, *, protocols: bool = True) -> FilterEntry:
    """Return what an entry of a filter means.

    Args:
        text: As the user wrote it.
        protocols: Whether it may begin with one.

    Raises:
        BadFilter: It means nothing.
    """
    protocol, slashes, rest = text.strip().rpartition("://")
    if slashes and not protocols:
        raise BadFilter("a name is looked up before there is a protocol")
    if protocol.lower() not in PROTOCOLS or (slashes and not protocol):
        raise BadFilter(f"the protocol {protocol!r} is neither tcp nor udp")
    if not rest and not protocol:
        raise BadFilter("it is empty")
    host, port = _split(rest)
    network = _network(host)
    if network:
        name = ""
        if not network.prefixlen or network.is_unspecified:
            # An address of zeros stands for all, of both families; with its bits given, it is a subnet.
            network = network if "/" in host else None
    else:
        name = _name(host)
    packed = (network.network_address.packed, network.prefixlen) if network else None
    return FilterEntry(protocol=PROTOCOLS[protocol.lower()], name=name, network=packed, port=port)


def _split(text: str) -> tuple[str, int]:
    """Return host and port; 0 where there is none."""
    if match := BRACKETS.fullmatch(text):
        address, inside, behind, port = match.groups()
        if not _is_ipv6(address) or (inside and behind):
            raise BadFilter(f"there is no address of IPv6 in the brackets of {text!r}")
        return address + (inside or behind or ""), _port(port)
    if text.count(":") > 1:
        if not _is_ipv6(text.partition("/")[0]):
            raise BadFilter(f"{text!r} is no address; one of IPv6 that a port follows is written in brackets")
        return text, 0
    host, colon, port = text.rpartition(":")
    return (host, _port(port)) if colon else (text, 0)


def _port(text: str | None) -> int:
    if text is None:
        return 0
    if not re.fullmatch(r"[0-9]{1,5}", text, re.ASCII) or int(text) > 0xFFFF:
        raise BadFilter(f"{text!r} is no port")
    return int(text)


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _network(host: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(host, strict=False)
    except ValueError:
        if "/" in host or NUMBERS.fullmatch(host):
            raise BadFilter(f"{host!r} is no address and no subnet") from None
    return None


def _name(host: str) -> str:
    name = host.lower()
    if not name:
        return ""
    if not NAME.fullmatch(name) or len(name) > LONGEST:
        if "*" in name or "?" in name:
            raise BadFilter(f"{host!r} has a wildcard, and names are compared as wholes")
        why = "" if name.isascii() else ": letters beyond ASCII are written as DNS has them (xn--...)"
        raise BadFilter(f"{host!r} is no host's name{why}")
    return name.removesuffix(".")
