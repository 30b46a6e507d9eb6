"""Names, addresses and connections to Cap'n Proto and back: the parts of messages.py's tables that network_values.py
has the values of. Also the 24 bytes that an address has on the layer's hop and before datagrams.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from mirrord_protocol.failure import RemoteProtocolError
from mirrord_protocol.network_values import (
    NOWHERE,
    Address,
    Connect,
    Connected,
    Datagrams,
    Families,
    Incoming,
    NameOutcome,
    Query,
    Records,
    Resolve,
    Resolved,
    Reverse,
    Subscribe,
    Subscribed,
    SubscribeMode,
    UnixAddress,
)

LAYER_ADDRESS_SIZE = 24
_LAYER_ADDRESS = struct.Struct("<HHI16s")
_HOST_SIZES = {0: 0, 4: 4, 6: 16}
_FAMILIES = {size: family for family, size in _HOST_SIZES.items()}
_MOST_UNIX = 108
"""As sockaddr_un has room for."""


def encode_layer_address(address: Address) -> bytes:
    """Return an address as the schema's `LayerAddress`, without a message around it."""
    return _LAYER_ADDRESS.pack(_FAMILIES[len(address.host)], address.port, address.scope, address.host)


def decode_layer_address(data: bytes | memoryview, at: int = 0) -> Address:
    """Return the address whose 24 bytes begin at `at`; raises RemoteProtocolError if they aren't one."""
    try:
        family, port, scope, host = _LAYER_ADDRESS.unpack_from(data, at)
        return Address(host[: _HOST_SIZES[family]], port, scope)
    except (KeyError, struct.error) as error:
        raise RemoteProtocolError(f"not an address: {error}") from error


# ---------------------------------------------------------------------------------------------- values -> Cap'n Proto


def _put_address(build: Any, address: Address | UnixAddress) -> None:
    if isinstance(address, UnixAddress):
        build.host, build.unix = address.path, True
    else:
        build.host, build.port, build.scope = address.host, address.port, address.scope


def _put_resolve(build: Any, request: Resolve) -> None:
    build.name, build.families = request.name, int(request.families)
    build.canonicalName, build.configuredOnly = request.canonical_name, request.configured_only


def _put_query(build: Any, request: Query) -> None:
    build.message, build.search = request.message, request.search


def _put_resolved(build: Any, resolved: Resolved) -> None:
    build.outcome, build.name, build.lifetime = int(resolved.outcome), resolved.name, resolved.lifetime
    for each, address in zip(build.init("addresses", len(resolved.addresses)), resolved.addresses, strict=True):
        _put_address(each, address)
    build.aliases = list(resolved.aliases)


def _put_connect(build: Any, request: Connect) -> None:
    _put_address(build.init("to"), request.to)
    build.credit = request.credit


def _put_datagrams(build: Any, request: Datagrams) -> None:
    _put_address(build.init("to"), request.to)
    build.credit, build.ipv6 = request.credit, request.ipv6


def _put_connected(build: Any, connected: Connected) -> None:
    _put_address(build.init("local"), connected.local)
    _put_address(build.init("peer"), connected.peer)
    build.credit = connected.credit


def _put_subscribe(build: Any, request: Subscribe) -> None:
    build.port, build.mode, build.credit = request.port, int(request.mode), request.credit
    build.loopback, build.reset = request.loopback, request.reset


def _put_incoming(build: Any, incoming: Incoming) -> None:
    build.subscription, build.credit = incoming.subscription, incoming.credit
    _put_address(build.init("peer"), incoming.peer)
    _put_address(build.init("local"), incoming.local)


STRUCTS: dict[type, tuple[str, Callable[[Any, Any], None]]] = {
    Resolve: ("resolve", _put_resolve),
    Reverse: ("reverse", lambda build, request: _put_address(build, request.address)),
    Query: ("query", _put_query),
    Connect: ("connect", _put_connect),
    Datagrams: ("datagrams", _put_datagrams),
    Subscribe: ("subscribe", _put_subscribe),
    Resolved: ("resolved", _put_resolved),
    Connected: ("connected", _put_connected),
    Incoming: ("incoming", _put_incoming),
}
PLAIN: dict[type, tuple[str, Callable[[Any], Any]]] = {
    Records: ("records", lambda value: value.message),
    Subscribed: ("subscribed", lambda _value: None),
}

# ---------------------------------------------------------------------------------------------- Cap'n Proto -> values


def _address(read: Any) -> Address:
    host = read.host
    if len(host) not in _FAMILIES or read.unix:
        raise ValueError(f"not an IP address, of {len(host)} bytes")
    return Address(host, read.port, read.scope) if host else NOWHERE


def _any_address(read: Any) -> Address | UnixAddress:
    if not read.unix:
        return _address(read)
    if len(read.host) > _MOST_UNIX:
        raise ValueError(f"not a Unix socket's address, of {len(read.host)} bytes")
    return UnixAddress(read.host)


def _resolved(read: Any) -> Resolved:
    return Resolved(
        outcome=NameOutcome(read.outcome.raw),
        addresses=tuple(map(_address, read.addresses)),
        name=read.name,
        aliases=tuple(read.aliases),
        lifetime=read.lifetime,
    )


def _resolve(read: Any) -> Resolve:
    return Resolve(read.name, Families(read.families & 3), read.canonicalName, read.configuredOnly)


def _subscribe(read: Any) -> Subscribe:
    return Subscribe(
        port=read.port,
        mode=SubscribeMode(read.mode.raw),
        loopback=read.loopback,
        reset=read.reset,
        credit=read.credit,
    )


READERS: dict[str, Callable[[Any], Any]] = {
    "resolve": _resolve,
    "reverse": lambda read: Reverse(_address(read)),
    "query": lambda read: Query(read.message, read.search),
    "connect": lambda read: Connect(_any_address(read.to), read.credit),
    "datagrams": lambda read: Datagrams(_address(read.to), read.ipv6, read.credit),
    "subscribe": _subscribe,
    "resolved": _resolved,
    "records": Records,
    "connected": lambda read: Connected(_any_address(read.local), _any_address(read.peer), read.credit),
    "subscribed": lambda _read: Subscribed(),
    "incoming": lambda read: Incoming(read.subscription, _address(read.peer), _address(read.local), read.credit),
}
