"""Values to Cap'n Proto and back: one table for each direction, keyed by the schema's union `Message`.

pycapnp reads lazily, so a message becomes a value here in one go, and whatever is wrong with it shows here.
Structs without pointers are in flat.py and listings in chunks.py; both are offered here too. Frames are in framing.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import capnp

from mirrord_protocol.chunks import decode_chunks, encode_chunk
from mirrord_protocol.failure import ERRNO_CODES, ERRNO_NAMES, LocalProtocolError, RemoteProtocolError
from mirrord_protocol.flat import (
    LAYER_REPLY_SIZE,
    LAYER_REQUEST_SIZE,
    decode_file_system,
    decode_layer_reply,
    decode_layer_request,
    encode_file_system,
    encode_layer_reply,
    encode_layer_request,
    stat_numbers,
    stat_of_numbers,
)
from mirrord_protocol.network_messages import PLAIN, READERS, STRUCTS
from mirrord_protocol.schema import load, plain_fields
from mirrord_protocol.values import (
    Ack,
    Capability,
    Changed,
    Close,
    Credit,
    Failure,
    FailureKind,
    FileSystem,
    FileSystemOf,
    Form,
    Goodbye,
    Hello,
    Lacking,
    ListDirectory,
    Listed,
    Message,
    Open,
    Opened,
    OpenFlag,
    Ping,
    Pong,
    Read,
    ReadLink,
    RealPath,
    Refused,
    Stat,
    StatPath,
    Target,
    Welcome,
)

__all__ = [
    "LAYER_REPLY_SIZE",
    "LAYER_REQUEST_SIZE",
    "decode_chunks",
    "decode_file_system",
    "decode_layer_reply",
    "decode_layer_request",
    "decode_message",
    "encode_chunk",
    "encode_file_system",
    "encode_layer_reply",
    "encode_layer_request",
    "encode_message",
]

_MESSAGE = load().Message
_FIRST_WORDS = 96
_MOST_WORDS = 1 << 18  # twice the largest message that a frame may carry
_STAT_NAMES = tuple((field.schema_name, field.name) for field in plain_fields(load().Stat.schema.node))
_FILE_SYSTEM_NAMES = tuple((field.schema_name, field.name) for field in plain_fields(load().FileSystem.schema.node))


# ---------------------------------------------------------------------------------------------- values -> Cap'n Proto


def _put_failure(build: Any, failure: Failure) -> None:
    build.kind = int(failure.kind)
    build.errno = ERRNO_CODES[failure.errno]
    build.text = failure.text


def _put_stat(build: Any, stat: Stat) -> None:
    numbers = stat_numbers(stat)
    for schema_name, name in _STAT_NAMES:
        setattr(build, schema_name, numbers[name])


def _put_file_system(build: Any, system: FileSystem) -> None:
    for schema_name, name in _FILE_SYSTEM_NAMES:
        setattr(build, schema_name, getattr(system, name))


def _put_hello(build: Any, hello: Hello) -> None:
    build.major, build.minor, build.capabilities = hello.major, hello.minor, int(hello.capabilities)
    build.token = hello.token
    build.environment = hello.environment
    build.include = list(hello.include)
    build.exclude = list(hello.exclude)


def _put_welcome(build: Any, welcome: Welcome) -> None:
    build.major, build.minor, build.capabilities = welcome.major, welcome.minor, int(welcome.capabilities)
    build.requests, build.lease = welcome.requests, welcome.lease
    target, from_value = build.init("target"), welcome.target
    target.pid, target.uid, target.gid = from_value.pid, from_value.uid, from_value.gid
    target.name, target.hostname = from_value.name, from_value.hostname
    target.workingDirectory = from_value.working_directory
    variables = build.init("environment", len(welcome.environment))
    for variable, (name, value) in zip(variables, welcome.environment, strict=True):
        variable.name, variable.value = name, value
    for build_lacking, lacking in zip(build.init("lacking", len(welcome.lacking)), welcome.lacking, strict=True):
        build_lacking.capability = int(lacking.capability).bit_length() - 1
        _put_failure(build_lacking.init("reason"), lacking.reason)


def _put_open(build: Any, request: Open) -> None:
    build.path, build.flags = request.path, int(request.flags)
    build.content, build.head = request.content, request.head


def _put_opened(build: Any, opened: Opened) -> None:
    _put_stat(build.init("stat"), opened.stat)
    build.form, build.complete = int(opened.form), opened.complete


def _put_read(build: Any, request: Read) -> None:
    build.handle, build.offset, build.length = request.handle, request.offset, request.length


def _put_stat_path(build: Any, request: StatPath) -> None:
    build.path, build.noFollow = request.path, not request.follow


def _put_list(build: Any, request: ListDirectory) -> None:
    build.path, build.watch, build.credit = request.path, request.watch, request.credit


def _put_listed(build: Any, listed: Listed) -> None:
    _put_stat(build.init("stat"), listed.stat)
    build.watched = listed.watched


def _put_path(build: Any, request: ReadLink | RealPath | FileSystemOf) -> None:
    build.path = request.path


_STRUCTS: dict[type, tuple[str, Callable[[Any, Any], None]]] = {
    Hello: ("hello", _put_hello),
    Welcome: ("welcome", _put_welcome),
    Refused: ("refused", lambda build, value: _put_failure(build, value.failure)),
    Open: ("open", _put_open),
    Read: ("read", _put_read),
    StatPath: ("stat", _put_stat_path),
    ListDirectory: ("list", _put_list),
    ReadLink: ("readlink", _put_path),
    RealPath: ("realpath", _put_path),
    FileSystemOf: ("fileSystem", _put_path),
    Opened: ("opened", _put_opened),
    Stat: ("stated", _put_stat),
    Listed: ("listed", _put_listed),
    FileSystem: ("fileSystemIs", _put_file_system),
    Failure: ("failure", _put_failure),
    Goodbye: ("goodbye", lambda build, value: _put_failure(build, value.failure)),
    **STRUCTS,
}
_PLAIN: dict[type, tuple[str, Callable[[Any], Any]]] = {
    bytes: ("path", lambda value: value),
    Close: ("close", lambda _value: None),
    Credit: ("credit", lambda value: value.amount),
    Changed: ("changed", lambda _value: None),
    Ping: ("ping", lambda value: value.number),
    Pong: ("pong", lambda value: value.number),
    Ack: ("ack", lambda _value: None),
    **PLAIN,
}


def encode_message(value: Message) -> bytes:
    """Return a value's message, in stream framing with a single segment.

    Raises LocalProtocolError for a value that the schema has no room for.
    """
    words = _FIRST_WORDS
    try:
        while True:
            builder = _MESSAGE.new_message(num_first_segment_words=words)
            if plain := _PLAIN.get(type(value)):
                setattr(builder, plain[0], plain[1](value))
            else:
                name, put = _STRUCTS[type(value)]
                put(builder.init(name), value)
            data: bytes = builder.to_bytes()
            if data[:4] == bytes(4):
                return data
            if words >= _MOST_WORDS:
                raise LocalProtocolError(f"{type(value).__name__}: too large for a message")
            words = min(words * 4, _MOST_WORDS)  # didn't fit into its first segment
    except (capnp.KjException, KeyError, OverflowError, TypeError, ValueError) as error:
        raise LocalProtocolError(f"{value!r}: {_first_line(error)}") from error


# ---------------------------------------------------------------------------------------------- Cap'n Proto -> values


def _failure(read: Any) -> Failure:
    kind = FailureKind(read.kind.raw) if read.kind.raw < len(FailureKind) else FailureKind.INTERNAL
    code = read.errno.raw
    # A newer side may know errnos that we don't: the text still says it.
    errno = ERRNO_NAMES[code] if 0 < code < len(ERRNO_NAMES) else "EIO"
    return Failure(kind, errno if kind == FailureKind.SYSTEM else None, read.text)


def _stat(read: Any) -> Stat:
    return stat_of_numbers({name: getattr(read, schema_name) for schema_name, name in _STAT_NAMES})


def _file_system(read: Any) -> FileSystem:
    return FileSystem(**{name: getattr(read, schema_name) for schema_name, name in _FILE_SYSTEM_NAMES})


def _hello(read: Any) -> Hello:
    return Hello(
        token=read.token,
        environment=read.environment,
        include=tuple(read.include),
        exclude=tuple(read.exclude),
        major=read.major,
        minor=read.minor,
        capabilities=read.capabilities,
    )


def _welcome(read: Any) -> Welcome:
    target = read.target
    return Welcome(
        target=Target(target.pid, target.uid, target.gid, target.name, target.hostname, target.workingDirectory),
        environment=tuple((variable.name, variable.value) for variable in read.environment),
        requests=read.requests,
        lease=read.lease,
        major=read.major,
        minor=read.minor,
        capabilities=read.capabilities,
        lacking=tuple(Lacking(Capability(1 << each.capability % 64), _failure(each.reason)) for each in read.lacking),
    )


_READERS: dict[str, Callable[[Any], Message]] = {
    "hello": _hello,
    "welcome": _welcome,
    "refused": lambda read: Refused(_failure(read)),
    "open": lambda read: Open(read.path, OpenFlag(read.flags), read.content, read.head),
    "read": lambda read: Read(read.handle, read.offset, read.length),
    "stat": lambda read: StatPath(read.path, not read.noFollow),
    "list": lambda read: ListDirectory(read.path, read.watch, read.credit),
    "readlink": lambda read: ReadLink(read.path),
    "realpath": lambda read: RealPath(read.path),
    "fileSystem": lambda read: FileSystemOf(read.path),
    "opened": lambda read: Opened(_stat(read.stat), Form(read.form.raw), read.complete),
    "stated": _stat,
    "listed": lambda read: Listed(_stat(read.stat), read.watched),
    "path": bytes,
    "fileSystemIs": _file_system,
    "failure": _failure,
    "close": lambda _read: Close(),
    "credit": Credit,
    "changed": lambda _read: Changed(),
    "ping": Ping,
    "pong": Pong,
    "ack": lambda _read: Ack(),
    "goodbye": lambda read: Goodbye(_failure(read)),
    **READERS,
}


def decode_message(data: bytes | memoryview) -> Message:
    """Return the value of one message, which must be all of `data`; raises RemoteProtocolError if it isn't one."""
    data = bytes(data)  # aligned, which a view into a buffer need not be
    if data[:4] != bytes(4) or len(data) != 8 + 8 * int.from_bytes(data[4:8], "little"):
        raise RemoteProtocolError("a message in more than one segment, or cut off")
    try:
        # What is pointed to twice counts twice: a small message can't become a large value.
        with _MESSAGE.from_bytes(data, traversal_limit_in_words=len(data) // 4 + 64, nesting_limit=8) as read:
            kind = str(read.which())
            return _READERS[kind](getattr(read, kind))
    except (capnp.KjException, KeyError, RuntimeError, ValueError) as error:
        raise RemoteProtocolError(f"a message that can't be read: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
