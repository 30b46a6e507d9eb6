"""Structs without pointers as bytes: stats, and the two messages between layer and session, in one step each.

They are on the path of every call that a layer asks about, where field by field through pycapnp costs ten times as
much. Layouts come from the schema; the tests compare with pycapnp byte for byte. Other messages are in messages.py.
"""

from __future__ import annotations

import struct
from operator import attrgetter

from mirrord_protocol.failure import ERRNO_CODES, ERRNO_NAMES, LocalProtocolError, RemoteProtocolError
from mirrord_protocol.layer_values import LayerForm, LayerOperation, LayerOutcome, LayerReply, LayerRequest
from mirrord_protocol.schema import Flat, load
from mirrord_protocol.values import FileSystem, Stat

SECOND = 1_000_000_000

REQUEST = Flat(load().LayerRequest.schema.node)
REPLY = Flat(load().LayerReply.schema.node)
STAT = Flat(load().Stat.schema.node)
FILE_SYSTEM = Flat(load().FileSystem.schema.node)

LAYER_REQUEST_SIZE = REQUEST.size
LAYER_REPLY_SIZE = REPLY.size

_request_numbers = attrgetter(*REQUEST.names)
_file_system_numbers = attrgetter(*FILE_SYSTEM.names)
_REPLY_STAT = tuple(REPLY.names.index(f"stat.{name}") for name in STAT.names)
_REPLY_OWN = tuple((index, name) for index, name in enumerate(REPLY.names) if "." not in name and name != "errno")
_REPLY_ERRNO = REPLY.names.index("errno")
_STAT_COPIED = tuple(name for name in STAT.names if "seconds" not in name and name != "has_born")


def stat_numbers(stat: Stat) -> dict[str, int]:
    """Return a stat's fields as the schema has them."""
    numbers: dict[str, int] = {name: getattr(stat, name) for name in _STAT_COPIED}
    numbers["has_born"] = stat.born is not None  # pycapnp wants a bool
    for name in ("accessed", "modified", "changed", "born"):
        numbers[f"{name}_seconds"], numbers[f"{name}_nanoseconds"] = divmod(getattr(stat, name) or 0, SECOND)
    return numbers


def stat_of_numbers(numbers: dict[str, int]) -> Stat:
    """Return the stat whose fields the schema has so."""
    return Stat(
        **{name: numbers[name] for name in _STAT_COPIED},
        accessed=numbers["accessed_seconds"] * SECOND + numbers["accessed_nanoseconds"],
        modified=numbers["modified_seconds"] * SECOND + numbers["modified_nanoseconds"],
        changed=numbers["changed_seconds"] * SECOND + numbers["changed_nanoseconds"],
        born=numbers["born_seconds"] * SECOND + numbers["born_nanoseconds"] if numbers["has_born"] else None,
    )


def pack_stat(stat: Stat) -> bytes:
    """Return a stat's data section."""
    numbers = stat_numbers(stat)
    return STAT.body.pack(*[numbers[name] for name in STAT.names])


def unpack_stat(data: bytes | memoryview, at: int) -> Stat:
    """Return the stat whose data section begins at `at`; raises struct.error if it doesn't fit."""
    return stat_of_numbers(dict(zip(STAT.names, STAT.body.unpack_from(data, at), strict=True)))


def encode_layer_request(request: LayerRequest) -> bytes:
    """Return the message, LAYER_REQUEST_SIZE bytes; raises LocalProtocolError for a number that doesn't fit."""
    try:
        return REQUEST.pack(_request_numbers(request))
    except struct.error as error:
        raise LocalProtocolError(f"{request}: {error}") from error


def decode_layer_request(data: bytes | memoryview) -> LayerRequest:
    """Return the request in LAYER_REQUEST_SIZE bytes; raises RemoteProtocolError if it isn't one."""
    try:
        operation, *numbers = REQUEST.unpack(data)
        return LayerRequest(LayerOperation(operation), *numbers)  # in the schema's order, which the tests compare
    except ValueError as error:
        raise RemoteProtocolError(f"layer request: {error}") from error


def encode_layer_reply(reply: LayerReply) -> bytes:
    """Return the message, LAYER_REPLY_SIZE bytes; raises LocalProtocolError for a number or name that doesn't fit."""
    numbers = [0] * len(REPLY.names)
    for index, name in _REPLY_OWN:
        numbers[index] = getattr(reply, name)
    try:
        numbers[_REPLY_ERRNO] = ERRNO_CODES[reply.errno]
        if reply.stat is not None:
            stat = stat_numbers(reply.stat)
            for index, name in zip(_REPLY_STAT, STAT.names, strict=True):
                numbers[index] = stat[name]
        return REPLY.pack(tuple(numbers))
    except (struct.error, KeyError) as error:
        raise LocalProtocolError(f"{reply}: {error}") from error


def decode_layer_reply(data: bytes | memoryview) -> LayerReply:
    """Return the reply in LAYER_REPLY_SIZE bytes; raises RemoteProtocolError if it isn't one."""
    try:
        numbers = REPLY.unpack(data)
        own = {name: numbers[index] for index, name in _REPLY_OWN}
        stat = {name: numbers[index] for index, name in zip(_REPLY_STAT, STAT.names, strict=True)}
        return LayerReply(
            outcome=LayerOutcome(own.pop("outcome")),
            form=LayerForm(own.pop("form")),
            errno=ERRNO_NAMES[numbers[_REPLY_ERRNO]] if numbers[_REPLY_ERRNO] < len(ERRNO_NAMES) else "EIO",
            stat=stat_of_numbers(stat) if stat["mode"] else None,
            **own,
        )
    except ValueError as error:
        raise RemoteProtocolError(f"layer reply: {error}") from error


def encode_file_system(system: FileSystem) -> bytes:
    """Return the message that follows a reply to `LayerOperation.FILE_SYSTEM`."""
    try:
        return FILE_SYSTEM.pack(_file_system_numbers(system))
    except struct.error as error:
        raise LocalProtocolError(f"{system}: {error}") from error


def decode_file_system(data: bytes | memoryview) -> FileSystem:
    """Return what `encode_file_system` made; raises RemoteProtocolError if it isn't that."""
    try:
        return FileSystem(**dict(zip(FILE_SYSTEM.names, FILE_SYSTEM.unpack(data), strict=True)))
    except ValueError as error:
        raise RemoteProtocolError(f"file system: {error}") from error
