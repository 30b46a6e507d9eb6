"""What may be said to a DNS server and what may be believed of it, and which server is asked when. No I/O.

Messages are looked at as bytes here: one that a program made goes on as it is. wire/ reads what answers say.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from mirrord_agent.names.config.machine import NameServer, Resolver

HEADER = struct.Struct("!HHHHHH")  # id, flags, counts: questions, answers, authorities, additionals
RESPONSE, TRUNCATED, OPCODE, RCODE = 0x8000, 0x0200, 0x7800, 0x000F
FORMAT_ERROR, SERVER_FAILURE, NOT_IMPLEMENTED, REFUSED = 1, 2, 4, 5
AUTHORITATIVE, RECURSIVE = 0x0400, 0x0080
NAME_LIMIT = 255
LABEL_LIMIT = 63
CLASS_AND_TYPE = 4


def with_id(message: bytes, id_: int) -> bytes:
    """Return a message with another id."""
    return id_.to_bytes(2, "big") + message[2:]


def code(message: bytes) -> int:
    """Return a message's RCODE, without EDNS' part of it."""
    return message[3] & RCODE


def truncated(message: bytes) -> bool:
    """Whether a message says that it isn't whole."""
    return bool(HEADER.unpack_from(message)[1] & TRUNCATED)


def another_may_know(message: bytes) -> bool:
    """Whether glibc asks the next server after such an answer: a refusal, or nothing from who doesn't know."""
    _, flags, _, in_answer, _, in_addition = HEADER.unpack_from(message)
    if flags & RCODE:
        return flags & RCODE in {SERVER_FAILURE, NOT_IMPLEMENTED, REFUSED}
    return not flags & (AUTHORITATIVE | RECURSIVE | TRUNCATED) and not in_answer and not in_addition


def answers(message: bytes) -> int:
    """Return how many records the answer has."""
    count: int = HEADER.unpack_from(message)[3]
    return count


def labels_of(name: bytes) -> tuple[bytes, ...] | None:
    """Return the labels of a name, with or without a dot at its end; None if no DNS name is so."""
    labels = tuple(name.removesuffix(b".").split(b".")) if name not in {b"", b"."} else ()
    if any(not 0 < len(label) <= LABEL_LIMIT for label in labels):
        return None
    return labels if len(wire_name(labels)) <= NAME_LIMIT else None


def wire_name(labels: tuple[bytes, ...]) -> bytes:
    """Return a name as messages have it."""
    return b"".join(len(label).to_bytes(1, "big") + label for label in labels) + b"\0"


def question(message: bytes) -> tuple[tuple[bytes, ...], int] | None:
    """Return the labels of a message's one question and where it ends; None if there isn't one."""
    if len(message) < HEADER.size or HEADER.unpack_from(message)[2] != 1:
        return None
    labels: list[bytes] = []
    at = HEADER.size
    while at < len(message) and (size := message[at]):
        if size > LABEL_LIMIT:  # compressed: there is nothing before it that it could point to
            return None
        labels.append(message[at + 1 : at + 1 + size])
        at += 1 + size
    end = at + 1 + CLASS_AND_TYPE
    if end > len(message) or end - HEADER.size - CLASS_AND_TYPE > NAME_LIMIT:
        return None
    return tuple(labels), end


def is_query(message: bytes) -> bool:
    """Whether a message is one plain question, which a server may be asked for somebody."""
    if question(message) is None:
        return False
    _, flags, _, in_answer, in_authority, _ = HEADER.unpack_from(message)
    return not flags & (RESPONSE | OPCODE) and not in_answer and not in_authority


def renamed(message: bytes, labels: tuple[bytes, ...]) -> bytes:
    """Return a query (see `is_query`) that asks for another name; the rest, EDNS too, stays as it is."""
    found = question(message)
    assert found
    end = found[1]
    return message[: HEADER.size] + wire_name(labels) + message[end - CLASS_AND_TYPE :]


def matches(query: bytes, message: bytes) -> bool:
    """Whether a message is the answer to a query: its id, its question, its direction."""
    if len(message) < HEADER.size or message[:2] != query[:2]:
        return False
    _, flags, questions, *_ = HEADER.unpack_from(message)
    if not flags & RESPONSE or flags & OPCODE:
        return False
    asked, answered = question(query), question(message)
    assert asked
    if answered is None:  # a server that understood nothing may not repeat it
        return questions == 0 and flags & RCODE in {FORMAT_ERROR, NOT_IMPLEMENTED}
    kind, its_kind = query[asked[1] - CLASS_AND_TYPE : asked[1]], message[answered[1] - CLASS_AND_TYPE : answered[1]]
    return kind == its_kind and [*map(bytes.lower, asked[0])] == [*map(bytes.lower, answered[0])]


def schedule(resolver: Resolver, start: int) -> Iterator[tuple[NameServer, float]]:
    """Yield which server to ask next and how many seconds to wait for it, as glibc does.

    `start`: any number; says which server is first where they rotate.
    """
    count = len(resolver.servers)
    first = start % count if resolver.rotate else 0
    for _ in range(resolver.attempts):
        for number in range(count):
            timeout = resolver.timeout << number
            yield resolver.servers[(first + number) % count], max(1, timeout // count if number else timeout)
