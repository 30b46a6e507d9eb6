"""Which answers are believed, which servers are asked when; the driver's own tests are test_driver.py's."""

from __future__ import annotations

import itertools

import dns.message
import dns.rcode
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrord_agent.names.config.machine import NameServer, Resolver
from mirrord_agent.names.servers.machine import (
    another_may_know,
    answers,
    code,
    is_query,
    labels_of,
    matches,
    question,
    renamed,
    schedule,
    truncated,
    wire_name,
    with_id,
)

QUERY = dns.message.make_query("www.Shop.test", "A", id=0x1234, use_edns=0, payload=4096).to_wire()
SERVERS = tuple(NameServer(bytes([10, 0, 0, number])) for number in (1, 2, 3))


def reply(**changes: object) -> bytes:
    """An answer to QUERY, with something changed."""
    made = dns.message.make_response(dns.message.from_wire(QUERY))
    for name, value in changes.items():
        setattr(made, name, value)
    return made.to_wire()


def test_ids() -> None:
    assert with_id(QUERY, 0xFFFE)[:2] == b"\xff\xfe"
    assert with_id(QUERY, 0)[2:] == QUERY[2:]


def test_an_answer_is_believed_if_all_of_it_fits() -> None:
    good = reply()
    assert matches(QUERY, good)
    assert matches(QUERY, good.replace(b"Shop", b"sHOP"))
    for bad in (
        b"", good[:11], QUERY, reply(id=1), good.replace(b"Shop", b"Ship"), good[:2] + b"\xa8" + good[3:],
        good.replace(b"\0\x01\0\x01", b"\0\x1c\0\x01", 1), good[:5] + b"\0" + good[6:], good[:12] + b"\xc0" + good[13:],
    ):  # fmt: skip
        assert not matches(QUERY, bad), bad
    assert matches(QUERY, QUERY[:2] + b"\x80\x01" + bytes(8))  # FORMERR alone


def test_what_answers_say() -> None:
    assert code(reply()) == 0
    assert not truncated(reply())
    assert truncated(reply()[:2] + b"\x83" + reply()[3:])
    assert answers(reply()) == 0
    for number, another in ((2, True), (4, True), (5, True), (0, False), (1, False), (3, False)):
        made = dns.message.make_response(dns.message.from_wire(QUERY))
        made.set_rcode(dns.rcode.Rcode(number))
        assert another_may_know(made.to_wire()) is another
    bare = dns.message.make_query("a.b", "A")
    assert another_may_know(dns.message.make_response(bare).to_wire())
    assert not another_may_know(dns.message.make_response(bare, recursion_available=True).to_wire())


def test_names() -> None:
    assert labels_of(b"a.b.") == labels_of(b"a.b") == (b"a", b"b")
    assert labels_of(b".") == labels_of(b"") == ()
    for bad in (b"a..b", b".a", b"x" * 64, b"a.b..", b"x." * 128):
        assert labels_of(bad) is None
    assert wire_name((b"ab", b"c")) == b"\2ab\1c\0"


def test_the_question_of_a_message() -> None:
    assert question(QUERY) == ((b"www", b"Shop", b"test"), 12 + 15 + 4)
    for bad in (b"", QUERY[:12], QUERY[:20], QUERY[:12] + b"\xc0\x0c" + bytes(4), QUERY[:5] + b"\2" + QUERY[6:]):
        assert question(bad) is None


def test_what_a_program_may_ask() -> None:
    assert is_query(QUERY)
    for bad in (
        reply(),
        QUERY[:2] + b"\x28" + QUERY[3:],
        QUERY[:7] + b"\1" + QUERY[8:],
        QUERY[:9] + b"\1" + QUERY[10:],
    ):
        assert not is_query(bad)


def test_another_name_and_the_rest_as_it_was() -> None:
    read = dns.message.from_wire(renamed(QUERY, (b"other", b"test")))
    assert (read.id, read.payload, str(read.question[0])) == (0x1234, 4096, "other.test. IN A")


@pytest.mark.parametrize(("count", "timeouts"), [(1, [5, 5]), (2, [5, 5, 5, 5]), (3, [5, 3, 6, 5, 3, 6])])
def test_a_schedule(count: int, timeouts: list[int]) -> None:
    planned = list(schedule(Resolver(servers=SERVERS[:count]), 7))
    assert [seconds for _, seconds in planned] == timeouts
    assert [server for server, _ in planned] == list(SERVERS[:count]) * 2


def test_no_timeout_is_none() -> None:
    planned = schedule(Resolver(servers=SERVERS, timeout=1, attempts=1), 0)
    assert [seconds for _, seconds in planned] == [1, 1, 1]


def test_rotation() -> None:
    rotating = Resolver(servers=SERVERS, rotate=True, attempts=1)
    firsts = {next(schedule(rotating, start))[0] for start in range(6)}
    assert firsts == set(SERVERS)
    for start in range(3):
        assert {server for server, _ in schedule(rotating, start)} == set(SERVERS)
    assert len(list(itertools.islice(schedule(rotating, 1), 9))) == 3


@given(st.binary(max_size=60))
def test_garbage(data: bytes) -> None:
    assert not matches(QUERY, data[2:])
    is_query(data)
    question(data)
