"""Whatever bytes arrive, an error of the protocol is the worst that happens: frames, messages, listings, and C.

Each target searches for MIRRORD_FUZZ_SECONDS (60). A failure prints the input, which then belongs into a test of its own.
"""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mirrord_protocol import cgen
from mirrord_protocol.actions import Action, Asked, DataReceived, Greeted
from mirrord_protocol.agent_end import AgentEnd
from mirrord_protocol.failure import RemoteProtocolError
from mirrord_protocol.framing import HEADER, Frame, Kind, Lane, encode_frame
from mirrord_protocol.messages import (
    decode_chunks,
    decode_file_system,
    decode_layer_reply,
    decode_layer_request,
    decode_message,
    encode_message,
)
from mirrord_protocol.network_messages import encode_layer_address
from mirrord_protocol.network_values import (
    NOWHERE,
    Connect,
    Connected,
    Datagrams,
    Incoming,
    Query,
    Records,
    Subscribe,
    Subscribed,
    SubscribeMode,
)
from mirrord_protocol.session_end import SessionEnd
from mirrord_protocol.two_way import BY_AGENT as BY_AGENT_BIT
from mirrord_protocol.values import (
    Changed,
    Close,
    Credit,
    Form,
    Hello,
    ListDirectory,
    Listed,
    Message,
    Open,
    Opened,
    Ping,
    Read,
    Request,
    StatPath,
    Welcome,
)
from protocol_c import CSRC, FLAGS, sanitizing_compiler
from protocol_samples import ADDRESS, FAILURE, MESSAGES, STAT, TARGET, TOKEN, VECTORS, vector, vectors

pytestmark = [pytest.mark.fuzz, pytest.mark.timeout(600)]
SECONDS = float(os.environ.get("MIRRORD_FUZZ_SECONDS", "60"))
NUMBERS = [0, 1, 2, 3, 7, 8, 16, 255, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1]

Piece = tuple[Kind, Lane, int, bytes, bool]  # a frame without its numbers


def says(id_: int, message: Message, lane: Lane = Lane.CONTROL) -> Piece:
    return Kind.MESSAGE, lane, id_, encode_message(message), False


def data(id_: int, size: int, *, end: bool = False) -> Piece:
    return Kind.DATA, Lane.BULK, id_, bytes(size), end


REQUESTS: list[Request] = [
    Open(b"/1", content=99, head=10),
    Read(1, 0, 50),
    StatPath(b"/3"),
    ListDirectory(b"/4", watch=True),
    Open(b"/5"),
    Connect(ADDRESS, 1000),
    Datagrams(NOWHERE, credit=1000),
    Subscribe(port=80, mode=SubscribeMode.STEAL, credit=1000),
    Subscribe(port=81, mode=SubscribeMode.MIRROR, credit=1000),
    Query(b"question"),
]
STOLEN, MIRRORED = BY_AGENT_BIT | 1, BY_AGENT_BIT | 2
DATAGRAM = (Kind.DATA, Lane.BULK, 7, encode_layer_address(ADDRESS) + b"x", False)
BY_AGENT: list[Piece] = [
    says(0, Welcome(target=TARGET)),
    says(1, Opened(STAT, Form.LARGE, complete=False)),
    data(1, 10, end=True),
    data(2, 25),
    data(2, 25, end=True),
    says(3, STAT),
    says(4, Listed(STAT, watched=True)),
    data(4, 100, end=True),
    says(4, Changed()),
    says(5, FAILURE),
    says(6, Connected(ADDRESS, ADDRESS, 1000)),
    data(6, 100),
    says(6, Credit(50)),
    data(6, 0, end=True),
    says(7, Connected(ADDRESS, NOWHERE, 1000)),
    DATAGRAM,
    says(8, Subscribed()),
    says(STOLEN, Incoming(8, ADDRESS, ADDRESS, 1000)),
    data(STOLEN, 100),
    says(STOLEN, FAILURE, Lane.BULK),
    says(9, Subscribed()),
    says(MIRRORED, Incoming(9, ADDRESS, ADDRESS, 0)),
    data(MIRRORED, 100, end=True),
    says(10, Records(b"answer")),
    says(9, FAILURE),
    says(0, Ping(1)),
]
BY_SESSION: list[Piece] = [
    says(0, Hello(TOKEN)),
    *(says(id_, request) for id_, request in enumerate(REQUESTS, 1)),
    says(4, Credit(1000)),
    says(2, Close()),
    data(6, 100),
    says(6, Credit(50)),
    data(6, 0, end=True),
    DATAGRAM,
    data(STOLEN, 10),
    says(STOLEN, Credit(50)),
    says(STOLEN, FAILURE, Lane.BULK),
    says(MIRRORED, Credit(1)),
    says(MIRRORED, Close()),
    says(8, Close()),
    says(7, Close()),
    says(0, Ping(1)),
    says(1, Close()),
]


def change_bytes(dice: random.Random, original: bytes) -> bytes:
    """Return bytes with some of them changed."""
    changed = bytearray(original)
    for _ in range(dice.randrange(1, 5)):
        at = dice.randrange(len(changed)) if changed else 0
        match dice.randrange(6):
            case 0 if changed:
                changed[at] ^= 1 << dice.randrange(8)
            case 1 if changed:
                changed[at] = dice.randrange(256)
            case 2:
                changed[at & ~7 : (at & ~7) + 8] = dice.choice(NUMBERS).to_bytes(8, "little")
            case 3:
                changed[at & ~3 : (at & ~3) + 4] = (dice.choice(NUMBERS) % 2**32).to_bytes(4, "little")
            case 4:
                del changed[at:]
            case 5:
                changed += changed[at : at + dice.randrange(64)]
    return bytes(changed)


def conversation(dice: random.Random, pieces: list[Piece]) -> bytes:
    """Return the frames of a conversation of which something is changed: its order, its frames, or its bytes."""
    pieces = list(pieces)
    for _ in range(dice.randrange(3)):
        at = dice.randrange(len(pieces))
        kind, lane, id_, payload, end = pieces[at]
        match dice.randrange(7):
            case 0:
                del pieces[at]
            case 1:
                pieces.insert(dice.randrange(len(pieces)), pieces[at])
            case 2:
                pieces[at] = (kind, lane, dice.choice([*NUMBERS, 4, 5, 6]), payload, end)
            case 3:
                pieces[at] = (kind, lane, id_, change_bytes(dice, payload)[:60_000], end)
            case 4:
                pieces[at] = (Kind.DATA, dice.choice(list(Lane)), id_, payload, dice.random() < 0.5)
            case 5:
                pieces[at] = (Kind.MESSAGE, dice.choice(list(Lane)), id_, payload, False)
            case 6:
                pieces[at] = says(id_, dice.choice(list(MESSAGES.values())))
        if not pieces:
            break
    frames = [Frame(kind, lane, number, 0, id_, payload, end)
              for number, (kind, lane, id_, payload, end) in enumerate(pieces, 1)]  # fmt: skip
    sent = b"".join(piece for frame in frames for piece in encode_frame(frame))
    return change_bytes(dice, sent) if dice.random() < 0.3 else sent


def inputs() -> Iterator[random.Random]:
    """Yield dice until the time is over; each has thrown nothing yet, and its seed is printed on failure."""
    end, seed = time.monotonic() + SECONDS, time.time_ns()
    while time.monotonic() < end:
        for _ in range(50):
            seed += 1
            yield random.Random(seed)


def hear(end: SessionEnd | AgentEnd, sent: bytes, dice: random.Random, largest: int = 1 << 20) -> None:
    """Let an end hear bytes in pieces, and do what it says."""
    at, now = 0, 0.0
    while at < len(sent):
        size = min(largest, dice.choice([1, 7, 100, len(sent)]))
        actions = end.receive(sent[at : at + size], now)
        while actions:
            action = actions.pop(0)
            if isinstance(end, AgentEnd):
                actions += serve(end, action)
            elif isinstance(action, DataReceived):
                use(end, action.id, len(action.data))
        now += 0.001
        end.pull(now)
        at += size


def serve(end: AgentEnd, action: Action) -> list[Action]:
    match action:
        case Greeted():
            return end.accept(Welcome(target=TARGET))
        case Asked(id_, Open()):
            end.answer(id_, Opened(STAT, Form.LARGE, complete=False))
        case Asked(id_, ListDirectory()):
            end.answer(id_, Listed(STAT, watched=True))
        case Asked(id_, Read()):
            end.send(id_, bytes(min(end.room(id_), 1000)))
        case Asked(id_, Connect() | Datagrams()):
            end.connect(id_, ADDRESS, NOWHERE)
        case Asked(id_, Subscribe()):
            end.answer(id_, Subscribed())
            end.incoming(id_, ADDRESS, ADDRESS)
        case DataReceived(id_, received, _, _):
            use(end, id_, len(received))
        case Asked(id_, _):
            end.fail(id_, FAILURE)
    return []


def use(end: SessionEnd | AgentEnd, id_: int, size: int) -> None:
    """Take what came, and send as much back."""
    if way := end.two_ways.find(id_):
        end.two_ways.took(way, size, 0.0)
        end.two_ways.send(way, bytes(min(size, end.two_ways.room(way))))


def test_the_conversations_that_are_changed_are_good() -> None:
    dice = random.Random(1)
    for end, pieces in ((asking(), BY_AGENT), (AgentEnd(0.0), BY_SESSION)):
        frames = [Frame(kind, lane, number, 0, id_, payload, last)
                  for number, (kind, lane, id_, payload, last) in enumerate(pieces, 1)]  # fmt: skip
        # In small pieces: a session that knows an answer says something of it only after it has come.
        hear(end, b"".join(piece for frame in frames for piece in encode_frame(frame)), dice, largest=100)

        assert not end.over


def asking() -> SessionEnd:
    end = SessionEnd(0.0)
    end.say_hello(Hello(TOKEN))
    for request in REQUESTS:
        end.ask(request)
    return end


@pytest.mark.parametrize(
    ("make", "pieces"), [(asking, BY_AGENT), (lambda: AgentEnd(0.0), BY_SESSION)], ids=["session", "agent"]
)
def test_frames(make: Callable[[], SessionEnd | AgentEnd], pieces: list[Piece]) -> None:
    refused = taken = 0
    for dice in inputs():
        sent = conversation(dice, pieces)
        try:
            hear(make(), sent, dice)
            taken += 1
        except RemoteProtocolError:
            refused += 1
        except Exception as error:
            raise AssertionError(f"input {sent.hex()}") from error

    assert refused > 10
    assert taken > 10


def test_messages_and_listings() -> None:
    seeds = [vector(name) for name in vectors()]
    decoders: list[Callable[[bytes], object]] = [
        decode_message,
        lambda changed: list(decode_chunks(changed)),
        decode_layer_request,
        decode_layer_reply,
        decode_file_system,
    ]
    for dice in inputs():
        changed = change_bytes(dice, dice.choice(seeds))
        for decode in decoders:
            try:
                decode(changed)
            except RemoteProtocolError:
                continue
            except Exception as error:
                raise AssertionError(f"input {changed.hex()}") from error


def test_the_c_readers(tmp_path: Path) -> None:
    compiler = sanitizing_compiler()
    if compiler is None:
        pytest.skip("neither gcc nor clang, which AddressSanitizer needs")
    assert cgen.main([str(tmp_path)]) == 0
    program = tmp_path / "fuzz"
    sanitize = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g", "-O1"]
    sources = [CSRC / "fuzz_wire.c", tmp_path / "wire.c"]
    subprocess.run([*compiler, *FLAGS, *sanitize, f"-I{tmp_path}", *sources, "-o", program], check=True, timeout=120)
    seeds = sorted(VECTORS.glob("*.bin"))
    result = subprocess.run(
        [program, str(max(1, round(SECONDS))), *seeds], capture_output=True, text=True, timeout=SECONDS + 60
    )

    assert result.returncode == 0, result.stdout + result.stderr
    assert int(result.stdout.split()[-1]) > 1000


def test_header_is_the_one_of_the_docs() -> None:
    assert HEADER.size == 32
