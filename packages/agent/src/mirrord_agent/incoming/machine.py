"""Who holds which port, what redirected connections are, what to tell a session: decisions. No I/O.

driver.py carries them out, rules/ speaks to nftables, listener/, mirror/ and established/ to sockets.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from mirrord_protocol.failure import RemoteError
from mirrord_protocol.network_values import Address
from mirrord_protocol.values import Failure, FailureKind

COMMENT_SIZE = 128
"""Bytes of a comment that nft takes."""
_NAME_SIZE = 40
_MAPPED = bytes(10) + b"\xff\xff"
_UNSAID = re.compile(r"[^ -~]|[\"\\]")
"""What doesn't go into a comment: nft's own quotes, and what a terminal would act upon."""


# ---------------------------------------------------------------------------------------------- who holds a port


def owner_text(user: str, host: str, process: int) -> str:
    """Return how other sessions are told of this one: whose it is, and where to look for it."""
    return f"{_plain(user)[:_NAME_SIZE]} on {_plain(host)[:_NAME_SIZE]}, process {process}"


def comment(owner: str, since: float) -> str:
    """Return the comment of a port's table: `owner`, and the time (seconds since the epoch) when it took the port."""
    when = f", since {datetime.fromtimestamp(since, UTC):%Y-%m-%d %H:%M:%S} UTC"
    return _plain(owner)[: COMMENT_SIZE - len(when)] + when


def held(port: int, found: str | None) -> RemoteError:
    """Return the failure for a port whose table is somebody else's; `found` is that table's comment."""
    holder = f" ({_plain(found)[:COMMENT_SIZE]})" if found else ""
    return _in_use(
        f"port {port} of the target is held by another session{holder}: end that one, or choose another port"
    )


def subscribed_already(port: int) -> RemoteError:
    """Return the failure for a port that the same session holds."""
    return _in_use(f"port {port} of the target is held by this session already")


def _in_use(text: str) -> RemoteError:
    return RemoteError(Failure(FailureKind.SYSTEM, "EADDRINUSE", text))


def _plain(text: str) -> str:
    return _UNSAID.sub("?", text)


# ---------------------------------------------------------------------------------------------- connections


def is_mapped(address: Address) -> bool:
    """Whether an IPv6 address stands for an IPv4 one."""
    return len(address.host) == 16 and address.host.startswith(_MAPPED)


def plain(address: Address) -> Address:
    """Return an address as the other side has it: an IPv4 one where a dual-stack socket shows it as IPv6."""
    return Address(address.host[len(_MAPPED) :], address.port) if is_mapped(address) else address


def redirected(original: Address, port: int) -> bool:
    """Whether a connection was on its way to the port that is subscribed, and not to the listener itself."""
    return original.port == port
