"""What mirrord's processes say to each other, and a client for tools that speak to an agent. The README has examples.

The names below are loaded when they are first used: the layer's C code is generated from the schema alone, and a session
needs no server.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from mirrord_protocol.client import Client, ConnectionStream, Subscription, open_client
    from mirrord_protocol.connections import Connection, DatagramStream
    from mirrord_protocol.failure import ConnectionLost, RemoteError, RemoteProtocolError
    from mirrord_protocol.network_values import Address, Families, NameOutcome, Resolved, SubscribeMode, UnixAddress
    from mirrord_protocol.starting.driver import open_agent
    from mirrord_protocol.values import (
        Capability,
        DirectoryEntry,
        Failure,
        FailureKind,
        FileSystem,
        Hello,
        Stat,
        Target,
        Welcome,
    )

_NAMES = {
    "client": ("Client", "ConnectionStream", "Subscription", "open_client"),
    "connections": ("Connection", "DatagramStream"),
    "failure": ("ConnectionLost", "RemoteError", "RemoteProtocolError"),
    "network_values": ("Address", "Families", "NameOutcome", "Resolved", "SubscribeMode", "UnixAddress"),
    "starting.driver": ("open_agent",),
    "values": (
        "Capability",
        "DirectoryEntry",
        "Failure",
        "FailureKind",
        "FileSystem",
        "Hello",
        "Stat",
        "Target",
        "Welcome",
    ),
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}

__all__ = [
    "Address",
    "Capability",
    "Client",
    "Connection",
    "ConnectionLost",
    "ConnectionStream",
    "DatagramStream",
    "DirectoryEntry",
    "Failure",
    "FailureKind",
    "Families",
    "FileSystem",
    "Hello",
    "NameOutcome",
    "RemoteError",
    "RemoteProtocolError",
    "Resolved",
    "Stat",
    "SubscribeMode",
    "Subscription",
    "Target",
    "UnixAddress",
    "Welcome",
    "open_agent",
    "open_client",
]


def __getattr__(name: str) -> Any:
    """Load a name of `__all__`."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value
