"""Questions in the DNS' own format: byte by byte what dnspython makes of the same name."""

from __future__ import annotations

import dns.exception
import dns.flags
import dns.message
import dns.name
import pytest
from dns.rdataclass import RdataClass
from dns.rdatatype import RdataType
from hypothesis import example, given
from hypothesis import strategies as st

from mirrord_layer_unix._pure import ffi, lib


def question(name: bytes, record_class: int = 1, kind: int = 1, number: int = 0) -> bytes:
    """The message, or nothing if there is no such name."""
    room = ffi.new("uint8_t[]", lib.DNS_QUESTION)
    return bytes(room[0 : lib.dns_question(room, name, record_class, kind, number)])


def truth(name: str, record_class: int = 1, kind: int = 1, number: int = 0) -> bytes:
    """The same by dnspython."""
    query = dns.message.make_query(dns.name.from_text(name), RdataType(kind), RdataClass(record_class), id=number)
    query.flags = dns.flags.RD
    return query.to_wire()


LABEL = "a" * 63
LONGEST = ".".join([LABEL, LABEL, LABEL, "b" * 61])


@pytest.mark.parametrize(
    "name",
    ["web", "web.test", "web.test.", ".", "_sip._tcp.test", "a\\.b.test", "a\\032b\\.", "\\255\\000.x", "A-1.test", LABEL,
     LONGEST, LONGEST + "."],
)  # fmt: skip
def test_names(name: str) -> None:
    assert question(name.encode(), 3, 33, 0xABCD) == truth(name, 3, 33, 0xABCD)


@pytest.mark.parametrize(
    "name",
    [
        "a..b",
        ".a",
        "..",
        "a..",
        LABEL + "a",
        LONGEST + "b",
        "a." + LONGEST,
        "\\",
        "a\\",
        "\\25",
        "\\25x",
        "\\256",
        "\\999",
    ],
)
def test_no_names(name: str) -> None:
    assert question(name.encode()) == b""


@given(st.text(st.sampled_from("ab.\\0259-"), max_size=300))
@example("a" * 64)
def test_any_text(name: str) -> None:
    try:
        expected = truth(name) if name else truth(".")
    except (dns.exception.DNSException, UnicodeError):
        expected = b""

    assert question(name.encode()) == expected


def test_answers() -> None:
    message = bytes([0, 0, 0x81, 0x83, 0, 1, 0x12, 0x34, 0, 0, 0, 0])

    assert lib.dns_code(message) == 3
    assert lib.dns_answers(message) == 0x1234
