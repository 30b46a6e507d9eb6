"""Addresses as text, as the C library reads them: inet_aton's short forms, and IPv6 with a scope. No I/O.

`socket` has both, but a pure module may not have it, and its inet_aton takes what follows a space.
"""

from __future__ import annotations

import ipaddress
import re

MOST_DIGITS = 64
"""Of an IPv4 address; nobody writes more zeros before one, and a long number takes long to read."""
_PART = re.compile(rb"0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*")
MAPPED = bytes(10) + b"\xff\xff"
"""What an IPv4 address as an IPv6 one begins with."""


def aton(text: bytes) -> bytes | None:
    """Return the four bytes of an IPv4 address as inet_aton(3) reads it (`127.1`, `0x7f000001`), or None."""
    parts = text.split(b".")
    if len(parts) > 4 or len(text) > MOST_DIGITS or not all(_PART.fullmatch(part) for part in parts):
        return None
    numbers = [_number(part) for part in parts]
    *high, low = numbers
    if any(number > 255 for number in high) or low >= 1 << 8 * (4 - len(high)):
        return None
    return bytes(high) + low.to_bytes(4 - len(high), "big")


def _number(part: bytes) -> int:
    if part[:2] in {b"0x", b"0X"}:
        return int(part, 16)
    return int(part, 8) if part.startswith(b"0") else int(part)


def pton4(text: bytes) -> bytes | None:
    """Return the four bytes of an IPv4 address in its one full form, or None."""
    return _packed(ipaddress.IPv4Address, text)


def pton6(text: bytes) -> bytes | None:
    """Return the sixteen bytes of an IPv6 address without a scope, or None."""
    return None if b"%" in text else _packed(ipaddress.IPv6Address, text)


def _packed(kind: type[ipaddress.IPv4Address | ipaddress.IPv6Address], text: bytes) -> bytes | None:
    try:
        return kind(text.decode("ascii")).packed
    except ValueError:
        return None


def scoped(text: bytes) -> tuple[bytes, bytes] | None:
    """Return an IPv6 address and the text of its scope (`fe80::1%eth0`; empty for none), or None."""
    address, percent, scope = text.partition(b"%")
    host = pton6(address)
    return None if host is None or (percent and not scope) or b"\0" in scope else (host, scope)


def scope_number(scope: bytes) -> int | None:
    """Return the number that a scope's text is; None for an interface's name."""
    return int(scope) if scope.isdigit() and len(scope) <= 9 else None


def takes_interface(host: bytes) -> bool:
    """Whether a scope of this address may be an interface's name: it is link-local, or multicast as narrow."""
    number = int.from_bytes(host, "big")
    return number >> 118 == 0xFE80 >> 6 or number >> 112 in {0xFF01, 0xFF02}


def unmapped(host: bytes) -> bytes:
    """Return an IPv4-mapped address as the IPv4 one, any other as it is."""
    return host[12:] if len(host) == 16 and host.startswith(MAPPED) else host
