"""Samples of every value: fixed ones, whose bytes are the shared vectors, and hypothesis' strategies for any."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from mirrord_protocol.failure import ERRNO_NAMES
from mirrord_protocol.layer_values import LayerForm, LayerOperation, LayerOutcome, LayerReply, LayerRequest
from mirrord_protocol.messages import (
    encode_chunk,
    encode_file_system,
    encode_layer_reply,
    encode_layer_request,
    encode_message,
)
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
from mirrord_protocol.values import (
    Ack,
    Capability,
    Changed,
    Close,
    Credit,
    DirectoryEntry,
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

VECTORS = Path(__file__).parent / "vectors"
TOKEN = bytes(range(32))

STAT = Stat(
    device=0xFE01,
    inode=2**63 + 5,
    size=12_345,
    blocks=32,
    rdev=0x0103,
    mode=0o100644,
    links=2,
    uid=1000,
    gid=100,
    block_size=4096,
    allowed=6,
    accessed=1_700_000_000_123_456_789,
    modified=-1,
    changed=2_000_000_000_000_000_001,
    born=1_600_000_000_999_999_999,
)
BARE_STAT = Stat(
    device=1, inode=2, size=0, blocks=0, rdev=0, mode=0o040755, links=1, uid=0, gid=0, block_size=512, allowed=0,
    accessed=0, modified=0, changed=0,
)  # fmt: skip
FILE_SYSTEM = FileSystem(
    type=0xEF53, block_size=4096, blocks=1 << 40, blocks_free=1, blocks_available=2, files=3, files_free=4,
    id=2**64 - 1, name_length=255, fragment_size=4096, flags=4096,
)  # fmt: skip
ODD_NAMES = (b".", b"..", b"plain", b"\xff\xfe", b"two\nlines", b"n" * 255, b"12345678", "ä€😀".encode())
ENTRIES = tuple(
    DirectoryEntry(name, 100 + number, 8, (STAT, BARE_STAT, None)[number % 3]) for number, name in enumerate(ODD_NAMES)
)
FAILURE = Failure(FailureKind.SYSTEM, "ENOENT", "No such file or directory")
GONE = Failure(FailureKind.GONE, None, "ünicode and all")
ADDRESS = Address(bytes([10, 1, 2, 3]), 8080)
ADDRESS6 = Address(bytes(range(16)), 65535, 7)
UNIX = UnixAddress(b"/run/\xff.sock")
TARGET = Target(42, 1000, 100, b"python3", b"host", b"/srv/\xff")

MESSAGES: dict[str, Message] = {
    "hello": Hello(TOKEN, environment=True, include=(b"A*", b"\xff?"), exclude=(b"HOME",), minor=3),
    "welcome": Welcome(
        target=TARGET,
        environment=((b"PATH", b"/bin"), (b"ODD\xff", b""), (b"X", b"x" * 3000)),
        requests=64,
        lease=9000,
        lacking=(Lacking(Capability.INCOMING, Failure(FailureKind.UNSUPPORTED, None, "no nftables")),),
    ),
    "refused": Refused(Failure(FailureKind.FORBIDDEN, None, "another session's")),
    "open": Open(b"/etc/\xffhosts", OpenFlag.NO_FOLLOW | OpenFlag.NON_BLOCKING, 1 << 20, 1 << 17),
    "read": Read(7, 1 << 40, 65536),
    "stat": StatPath(b"/etc", follow=False),
    "list": ListDirectory(b"/etc", watch=True, credit=4096),
    "readlink": ReadLink(b"/l"),
    "realpath": RealPath(b"/r"),
    "fileSystem": FileSystemOf(b"/f"),
    "opened": Opened(STAT, Form.LARGE, complete=False),
    "stated": BARE_STAT,
    "listed": Listed(STAT, watched=True),
    "path": b"/a/\xff\x00b",
    "fileSystemIs": FILE_SYSTEM,
    "failure": FAILURE,
    "close": Close(),
    "credit": Credit(1 << 33),
    "changed": Changed(),
    "ping": Ping(1),
    "pong": Pong(2**64 - 1),
    "ack": Ack(),
    "goodbye": Goodbye(GONE),
    "resolve": Resolve(b"db.\xff", Families.IPV6, canonical_name=True, configured_only=True),
    "reverse": Reverse(ADDRESS6),
    "query": Query(b"\x12\x34question", search=True),
    "connect": Connect(ADDRESS6, 1 << 18),
    "datagrams": Datagrams(ADDRESS, ipv6=True, credit=77),
    "subscribe": Subscribe(port=443, mode=SubscribeMode.MIRROR, loopback=False, reset=True, credit=4096),
    "resolved": Resolved(
        outcome=NameOutcome.FOUND,
        addresses=(Address(ADDRESS.host, 0), Address(ADDRESS6.host, 0, 7)),
        name=b"canon",
        aliases=(b"one", b"two\xff"),
        lifetime=30_000,
    ),
    "records": Records(b"\x12\x34answer"),
    "connected": Connected(UNIX, UnixAddress(b"\0abstract"), 65536),
    "subscribed": Subscribed(),
    "incoming": Incoming(9, ADDRESS6, ADDRESS, 2**32 - 1),
}
"""One of each, by the schema's name."""

LAYER_REQUESTS = {
    "layer_request": LayerRequest(
        LayerOperation.FILE_SYSTEM, payload=4096, flags=0x8001_0000, mode=0o644, process=2**32 - 1, device=0xFE01,
        inode=2**64 - 1, offset=1 << 40, length=1 << 33,
    ),
    "layer_request_bare": LayerRequest(LayerOperation.OPEN),
}  # fmt: skip
LAYER_REPLIES = {
    "layer_reply": LayerReply(
        LayerOutcome.DONE, form=LayerForm.FILLING, payload=77, offset=1 << 40, length=1 << 41, device=3, inode=4,
        stat=STAT,
    ),
    "layer_reply_failed": LayerReply(LayerOutcome.FAILED, errno="ESHUTDOWN"),
    "layer_reply_bare": LayerReply(LayerOutcome.LOCAL, stat=BARE_STAT),
}  # fmt: skip


def vectors() -> dict[str, Callable[[], bytes]]:
    """Of each shared vector: its file's name without the ending, and what makes its bytes."""
    made: dict[str, Callable[[], bytes]] = {
        "directory_chunk": lambda: encode_chunk(ENTRIES),
        "directory_chunk_empty": lambda: encode_chunk([]),
        "file_system": lambda: encode_file_system(FILE_SYSTEM),
    }
    for name, message in MESSAGES.items():
        made[f"message_{name}"] = lambda message=message: encode_message(message)  # type: ignore[misc]
    for name, request in LAYER_REQUESTS.items():
        made[name] = lambda request=request: encode_layer_request(request)  # type: ignore[misc]
    for name, reply in LAYER_REPLIES.items():
        made[name] = lambda reply=reply: encode_layer_reply(reply)  # type: ignore[misc]
    return made


def vector(name: str) -> bytes:
    """The bytes of a shared vector."""
    return (VECTORS / f"{name}.bin").read_bytes()


# ---------------------------------------------------------------------------------------------- any

u8, u16, u32, u64 = (st.integers(0, 2**bits - 1) for bits in (8, 16, 32, 64))
times = st.integers(-(2**62), 2**62)
paths = st.binary(max_size=300)
stats = st.builds(
    Stat,
    **dict.fromkeys(("device", "inode", "size", "blocks", "rdev"), u64),
    **dict.fromkeys(("links", "uid", "gid", "block_size"), u32),
    **dict.fromkeys(("accessed", "modified", "changed"), times),
    mode=st.integers(1, 2**32 - 1),
    allowed=u8,
    born=st.none() | times,
)
file_systems = st.builds(FileSystem, **dict.fromkeys(FileSystem.__dataclass_fields__, u64))
failures = st.builds(
    Failure, st.just(FailureKind.SYSTEM), st.sampled_from([name for name in ERRNO_NAMES if name]), st.text(max_size=99)
) | st.builds(
    Failure,
    st.sampled_from([kind for kind in FailureKind if kind != FailureKind.SYSTEM]),
    st.none(),
    st.text(max_size=9),
)
entries = st.builds(DirectoryEntry, paths, u64, u8, st.none() | stats)
layer_requests = st.builds(LayerRequest, st.sampled_from(LayerOperation), u16, u32, u32, u32, u64, u64, u64, u64)
layer_replies = st.builds(
    LayerReply,
    st.sampled_from(LayerOutcome),
    st.sampled_from(ERRNO_NAMES),
    st.sampled_from(LayerForm),
    u32, u64, u64, u64, u64,
    st.none() | stats,
)  # fmt: skip
addresses = st.builds(Address, st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16), u16, u32)
any_addresses = addresses | st.builds(UnixAddress, st.binary(max_size=108))
families = st.sampled_from([Families(bits) for bits in range(4)])
resolved = st.builds(
    Resolved,
    outcome=st.sampled_from(NameOutcome), addresses=st.lists(addresses, max_size=4).map(tuple), name=paths,
    aliases=st.lists(paths, max_size=4).map(tuple), lifetime=u32,
)  # fmt: skip
messages: st.SearchStrategy[Any] = st.one_of(
    st.builds(
        Hello, paths, st.booleans(), st.lists(paths, max_size=4).map(tuple), st.lists(paths, max_size=4).map(tuple),
        u16, u16, u64,
    ),
    st.builds(
        Welcome, target=st.builds(Target, u32, u32, u32, paths, paths, paths),
        environment=st.lists(st.tuples(paths, paths), max_size=8).map(tuple),
        requests=u32, lease=u32, major=u16, minor=u16, capabilities=u64,
        lacking=st.lists(st.builds(Lacking, st.sampled_from(list(Capability)), failures), max_size=3).map(tuple),
    ),
    st.builds(Refused, failures),
    st.builds(Open, paths, u32.map(OpenFlag), u32, u32),
    st.builds(Read, u64, u64, u32),
    st.builds(StatPath, paths, st.booleans()),
    st.builds(ListDirectory, paths, st.booleans(), u32),
    st.builds(ReadLink, paths),
    st.builds(RealPath, paths),
    st.builds(FileSystemOf, paths),
    st.builds(Opened, stats, st.sampled_from(Form), st.booleans()),
    stats,
    st.builds(Listed, stats, st.booleans()),
    st.binary(max_size=5000),
    file_systems,
    failures,
    st.just(Close()),
    st.builds(Credit, u64),
    st.just(Changed()),
    st.builds(Ping, u64),
    st.builds(Pong, u64),
    st.just(Ack()),
    st.builds(Goodbye, failures),
    st.builds(Resolve, paths, families, st.booleans(), st.booleans()),
    st.builds(Reverse, addresses),
    st.builds(Query, paths, st.booleans()),
    st.builds(Connect, any_addresses, u32),
    st.builds(Datagrams, addresses | st.just(NOWHERE), st.booleans(), u32),
    st.builds(
        Subscribe, port=u16, mode=st.sampled_from(SubscribeMode), loopback=st.booleans(), reset=st.booleans(), credit=u32
    ),
    resolved,
    st.builds(Records, paths),
    st.builds(Connected, any_addresses, any_addresses, u32),
    st.just(Subscribed()),
    st.builds(Incoming, u64, addresses, addresses, u32),
)  # fmt: skip


def write_vectors() -> None:
    """Write all shared vectors anew: after a wanted change of the schema, run this file."""
    for name, make in vectors().items():
        (VECTORS / f"{name}.bin").write_bytes(make())


if __name__ == "__main__":
    write_vectors()
