"""What DNS messages say; garbage says nothing."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrord_agent.names.machine import Answer
from mirrord_agent.names.wire.machine import AAAA, PTR, A, question, read, reverse_labels
from mirrord_protocol.network_values import NameOutcome

NAME = (b"www", b"shop", b"test")
SOA = "shop.test. {} SOA ns.shop.test. root.shop.test. 1 2 3 4 {}"


def reply(*records: str, kind: int = A, rcode: int = 0, authority: str = "") -> bytes:
    made = dns.message.make_response(dns.message.from_wire(question(NAME, kind)))
    made.set_rcode(dns.rcode.Rcode(rcode))
    for section, lines in ((made.answer, records), (made.authority, (authority,) if authority else ())):
        for line in lines:
            name, seconds, what, value = line.split(None, 3)
            section.append(dns.rrset.from_text(name, int(seconds), "IN", what, value))
    return made.to_wire()


def test_questions() -> None:
    plain = dns.message.from_wire(question(NAME, A))
    assert (plain.id, plain.flags, plain.edns) == (0, dns.flags.RD, -1)
    assert str(plain.question[0]) == "www.shop.test. IN A"
    full = dns.message.from_wire(question((b"\xff", b"a.b"), AAAA, extended=True, trust_ad=True))
    assert (full.edns, full.payload, full.flags) == (0, 1232, dns.flags.RD | dns.flags.AD)
    assert full.question[0].name.labels == (b"\xff", b"a.b", b"")


def test_reverse_names() -> None:
    assert reverse_labels(bytes([10, 7, 0, 2])) == (b"2", b"0", b"7", b"10", b"in-addr", b"arpa")
    assert reverse_labels(bytes(15) + b"\1")[:2] == (b"1", b"0")


def test_addresses_and_their_aliases() -> None:
    answer = read(
        reply(
            "www.shop.test. 90 CNAME a.test.",
            "a.test. 70 CNAME b.test.",
            "b.test. 80 A 10.0.0.1",
            "b.test. 80 A 10.0.0.2",
        )
    )
    hosts, aliases = (bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])), (b"www.shop.test", b"a.test")
    assert answer == Answer(NameOutcome.FOUND, hosts, b"b.test", 70, aliases=aliases)
    assert read(reply("www.shop.test. 9 AAAA fd00::1", kind=AAAA)).values == (b"\xfd" + bytes(14) + b"\1",)
    assert read(reply("www.shop.test. 9 PTR x.test.", kind=PTR)).values == (b"x.test",)
    assert read(reply("www.shop.test. 999999 A 10.0.0.1")).lifetime == 3600


def test_records_of_other_names_are_not_believed() -> None:
    assert read(reply("evil.test. 9 A 6.6.6.6")).values == ()


@pytest.mark.parametrize(("seconds", "minimum", "lifetime"), [(50, 25, 25), (10, 25, 10), (99_999, 99_999, 300)])
def test_negative_answers(seconds: int, minimum: int, lifetime: int) -> None:
    soa = SOA.format(seconds, minimum)
    assert read(reply(authority=soa)) == Answer(NameOutcome.NO_DATA, lifetime=lifetime)
    assert read(reply(authority=soa, rcode=3)) == Answer(NameOutcome.NO_NAME, lifetime=lifetime)


def test_negative_answers_without_a_lifetime() -> None:
    assert read(reply(rcode=3)) == Answer(NameOutcome.NO_NAME)
    dangling = read(reply("www.shop.test. 9 CNAME a.test."))
    assert dangling == Answer(NameOutcome.NO_DATA, dangling=True)


def test_refusals() -> None:
    assert read(reply(rcode=2)) == Answer(NameOutcome.TRY_AGAIN, failure=True)
    assert read(reply(rcode=5)) == Answer(NameOutcome.TRY_AGAIN)
    assert read(reply(rcode=1)) == Answer(NameOutcome.FAILED)


def test_a_loop() -> None:
    loop = read(reply("www.shop.test. 9 CNAME a.test.", "a.test. 9 CNAME www.shop.test."))
    assert (loop.outcome, loop.dangling) == (NameOutcome.NO_NAME, True)


@given(st.binary(max_size=200))
def test_garbage(data: bytes) -> None:
    assert isinstance(read(data), Answer)


@given(st.integers(12, 80), st.integers(0, 255))
def test_a_byte_changed(at: int, value: int) -> None:
    good = bytearray(reply("www.shop.test. 90 CNAME a.test.", "a.test. 80 A 10.0.0.1", authority=SOA.format(1, 2)))
    good[at] = value
    assert isinstance(read(bytes(good)), Answer)
