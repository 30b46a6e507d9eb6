"""Answers for names: remembered, shared, local; and the names that belong to addresses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mirrord_cli.session.network import names as module
from mirrord_cli.session.network.names import question_name
from mirrord_cli.session.questions import LOST
from mirrord_cli.session.settings import Filter, FilterEntry
from mirrord_protocol.layer_values import LayerOperation, LayerOutcome, LayerReply, LayerResolve
from mirrord_protocol.network_messages import encode_layer_address
from mirrord_protocol.network_values import Address, Families, NameOutcome, Query, Records, Resolve, Resolved, Reverse
from mirrord_protocol.values import Failure, FailureKind
from session_names import BOTH, NOTHING, at, found
from session_names import NamesScript as Script

# `www.example.` asked for its addresses, number 0x1234.
MESSAGE = bytes.fromhex("12340100000100000000000003777777076578616d706c650000010001")


# ---------------------------------------------------------------------------------------------- resolve


def test_a_name_is_asked_for_and_answered() -> None:
    script = Script()

    channel = script.resolve(b"Db.Shop", BOTH | LayerResolve.CANONICAL_NAME | LayerResolve.CONFIGURED_ONLY)
    assert script.asks[0].request == Resolve(b"Db.Shop", canonical_name=True, configured_only=True)
    script.tell(found("10.0.0.1", "fd00::1", name=b"db-0.shop"))

    assert script.reply(channel) == LayerReply(LayerOutcome.DONE, payload=48 + 9, offset=2, length=0)
    expected = encode_layer_address(at("10.0.0.1")) + encode_layer_address(at("fd00::1")) + b"db-0.shop"
    assert script.answers[channel].payload == expected


def test_aliases() -> None:
    """They follow the canonical name, and come only with it."""
    script = Script()
    host = at("10.0.0.1")
    told = Resolved(outcome=NameOutcome.FOUND, addresses=(host,), name=b"db-0.shop", aliases=(b"db", b"d"))

    channel = script.resolve(b"db", BOTH | LayerResolve.CANONICAL_NAME)
    script.tell(told)
    assert script.answers[channel].payload == encode_layer_address(host) + b"db-0.shop\0db\0d"
    channel = script.resolve(b"db2")
    script.tell(replace(told, name=b""))
    assert script.answers[channel].payload == encode_layer_address(host)
    channel = script.resolve(b"db3", BOTH | LayerResolve.CANONICAL_NAME)
    script.tell(replace(told, aliases=(b"x" * 200,) * 1000))
    assert script.answers[channel].payload == encode_layer_address(host) + b"db-0.shop"


def test_families() -> None:
    script = Script()

    script.resolve(b"a", LayerResolve.IPV6)
    script.resolve(b"b", 0)
    assert [ask.request for ask in script.asks] == [Resolve(b"a", Families.IPV6), Resolve(b"b")]

    script = Script(ipv6=False)
    script.resolve(b"a")
    script.resolve(b"b", LayerResolve.IPV6)
    assert [ask.request for ask in script.asks] == [Resolve(b"a", Families.IPV4), Resolve(b"b", Families.IPV6)]


def test_answers_hold_for_their_lifetime() -> None:
    script = Script()

    assert script.get(b"db", found("10.0.0.1", lifetime=1500)) is NameOutcome.FOUND
    script.now = 1.4
    assert script.get(b"db") is NameOutcome.FOUND
    script.now = 1.5
    script.resolve(b"db")
    assert len(script.asks) == 1


def test_bad_answers_hold_too() -> None:
    script = Script()

    assert script.get(b"no", NOTHING) is NameOutcome.NO_NAME
    assert script.get(b"no") is NameOutcome.NO_NAME
    script.now = 0.5
    assert script.get(b"no", found("10.0.0.1")) is NameOutcome.FOUND


def test_an_answer_without_lifetime_is_not_kept() -> None:
    script = Script()

    script.get(b"db", found("10.0.0.1", lifetime=10_000))
    script.now = 11
    script.get(b"db", found("10.0.0.1", lifetime=0))
    script.resolve(b"db")
    assert len(script.asks) == 1


def test_no_answer_is_kept_for_long() -> None:
    script = Script()

    script.get(b"db", found("10.0.0.1", lifetime=86_400_000))
    script.now = module.LONGEST
    script.resolve(b"db")
    assert len(script.asks) == 1


def test_the_oldest_answers_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 2)
    script = Script()

    for name, host in ((b"a", "10.0.0.1"), (b"b", "10.0.0.2")):
        script.get(name, found(host))
    script.get(b"a")
    script.get(b"c", found("10.0.0.3"))

    script.resolve(b"a")
    assert script.asks == []
    script.resolve(b"b")
    assert len(script.asks) == 1
    assert script.names.known_names(at("10.0.0.2")) == ()
    assert script.names.known_names(at("10.0.0.1")) == ("a",)


def test_equal_questions_share_a_round_trip() -> None:
    script = Script()

    channels = [script.resolve(b"db"), script.resolve(b"db")]
    other = script.resolve(b"db", LayerResolve.IPV4)
    assert len(script.asks) == 2
    script.tell(found("10.0.0.1", lifetime=0))

    assert [script.outcome(channel) for channel in channels] == [NameOutcome.FOUND] * 2
    assert other not in script.answers


@pytest.mark.parametrize(
    ("failure", "outcome"),
    [
        (LOST, NameOutcome.TRY_AGAIN),
        (Failure(FailureKind.SYSTEM, "EMFILE"), NameOutcome.TRY_AGAIN),
        (Failure(FailureKind.UNSUPPORTED), NameOutcome.FAILED),
        (Failure(FailureKind.FORBIDDEN), NameOutcome.FAILED),
    ],
)
def test_failures(failure: Failure, outcome: NameOutcome) -> None:
    script = Script()

    channel = script.resolve(b"db")
    script.refuse(failure)

    assert script.outcome(channel) is outcome
    script.resolve(b"db")
    assert len(script.asks) == 1


def test_nothing_is_remembered_once_the_agent_is_gone() -> None:
    script = Script()
    script.get(b"db", found("10.0.0.1", lifetime=100_000))
    waiting = script.resolve(b"api")

    script.questions.lose()
    script.take()

    assert script.outcome(waiting) is NameOutcome.TRY_AGAIN
    assert script.get(b"db") is NameOutcome.TRY_AGAIN


def test_local_names() -> None:
    script = Script(name_filter=Filter(remote=False, entries=(FilterEntry(name="db", port=5432),)))

    assert script.reply(script.resolve(b"localhost")) == LayerReply(LayerOutcome.LOCAL)
    assert script.reply(script.resolve(b"db", offset=5432)) == LayerReply(LayerOutcome.LOCAL)
    script.resolve(b"db")
    script.resolve(b"db", offset=80)
    assert len(script.asks) == 1
    assert Script(names=False).resolve(b"db") == 1


@pytest.mark.parametrize("name", [b"", b"a\0b"])
def test_names_that_are_none(name: bytes) -> None:
    script = Script()
    assert script.reply(script.resolve(name)).errno == "EINVAL"


def test_an_answer_that_is_too_long_is_cut() -> None:
    script = Script()

    channel = script.resolve(b"db")
    addresses = tuple(Address(number.to_bytes(4), 0) for number in range(5000))
    script.tell(Resolved(outcome=NameOutcome.FOUND, addresses=addresses, name=b"name"))

    assert len(script.answers[channel].payload) <= module.ROOM
    assert script.answers[channel].payload.endswith(b"name")
    assert script.reply(channel).offset == (module.ROOM - 4) // 24


# ---------------------------------------------------------------------------------------------- reverse, query, hostname


def test_an_addresss_name() -> None:
    script = Script()

    channel = script.ask(LayerOperation.REVERSE, encode_layer_address(at("::ffff:10.0.0.1", 80)))
    assert script.asks[0].request == Reverse(at("10.0.0.1"))
    script.tell(Resolved(outcome=NameOutcome.FOUND, name=b"db.shop", lifetime=1000))

    assert script.reply(channel) == LayerReply(LayerOutcome.DONE, payload=7)
    assert script.answers[channel].payload == b"db.shop"
    assert script.names.known_names(at("10.0.0.1")) == ("db.shop",)
    again = script.ask(LayerOperation.REVERSE, encode_layer_address(at("10.0.0.1")))
    assert script.answers[again].payload == b"db.shop"


def test_addresses_that_are_local_or_none() -> None:
    script = Script()

    local = script.ask(LayerOperation.REVERSE, encode_layer_address(at("127.0.0.1")))
    broken = script.ask(LayerOperation.REVERSE, b"short")

    assert script.reply(local).outcome is LayerOutcome.LOCAL
    assert script.reply(broken).errno == "EINVAL"


def test_queries_share_a_round_trip_whatever_their_number() -> None:
    script = Script()

    first = script.ask(LayerOperation.QUERY, MESSAGE, flags=1)
    second = script.ask(LayerOperation.QUERY, b"\x56\x78" + MESSAGE[2:], flags=1)
    plain = script.ask(LayerOperation.QUERY, MESSAGE)
    assert [ask.request for ask in script.asks] == [
        Query(b"\0\0" + MESSAGE[2:], search=True), Query(b"\0\0" + MESSAGE[2:])
    ]  # fmt: skip
    script.tell(Records(b"\0\0answer"))

    assert script.answers[first].payload == b"\x12\x34answer"
    assert script.answers[second].payload == b"\x56\x78answer"
    assert plain not in script.answers


@pytest.mark.parametrize(
    ("failure", "errno"), [(LOST, "ETIMEDOUT"), (Failure(FailureKind.SYSTEM, "ECONNREFUSED"), "ECONNREFUSED")]
)
def test_queries_that_fail(failure: Failure, errno: str) -> None:
    script = Script()

    channel = script.ask(LayerOperation.QUERY, MESSAGE)
    script.refuse(failure)

    assert script.reply(channel).errno == errno


def test_queries_that_are_local_or_none_or_too_long() -> None:
    local = Script(name_filter=Filter(remote=False, entries=(FilterEntry(name="www.example"),)))
    assert local.reply(local.ask(LayerOperation.QUERY, MESSAGE)).outcome is LayerOutcome.LOCAL

    script = Script()
    assert script.reply(script.ask(LayerOperation.QUERY, b"")).errno == "EINVAL"
    channel = script.ask(LayerOperation.QUERY, MESSAGE)
    script.tell(Records(bytes(module.ROOM + 1)))
    assert script.reply(channel).errno == "EMSGSIZE"


def test_what_a_message_asks_about() -> None:
    assert question_name(MESSAGE) == "www.example"
    assert question_name(MESSAGE[:12] + bytes(5)) == ""
    for size in range(len(MESSAGE)):
        assert question_name(MESSAGE[:size]) is None
    assert question_name(MESSAGE[:2] + b"\x81" + MESSAGE[3:]) is None  # an answer
    assert question_name(MESSAGE[:5] + b"\2" + MESSAGE[6:]) is None  # two questions
    assert question_name(MESSAGE[:12] + b"\xc0\x0c" + bytes(10)) is None  # a pointer


def test_the_hostname() -> None:
    script = Script()

    assert script.reply(script.ask(LayerOperation.HOSTNAME)).outcome is LayerOutcome.LOCAL
    script.names.hostname = b"shop-0"
    assert script.answers[script.ask(LayerOperation.HOSTNAME)].payload == b"shop-0"

    script = Script(hostname=False)
    script.names.hostname = b"shop-0"
    assert script.reply(script.ask(LayerOperation.HOSTNAME)).outcome is LayerOutcome.LOCAL


# ---------------------------------------------------------------------------------------------- for connections


def test_names_of_an_address() -> None:
    script = Script()

    script.get(b"db", found("10.0.0.1", "fd00::1", name=b"DB-0.shop.", aliases=(b"alias",)))
    script.get(b"other", found("10.0.0.1"))
    script.get(b"db")

    assert script.names.known_names(at("::ffff:10.0.0.1")) == ("other", "alias", "db-0.shop", "db")
    assert script.names.known_names(at("fd00::1")) == ("alias", "db-0.shop", "db")
    assert script.names.known_names(at("10.0.0.2")) == ()


def test_an_address_has_few_names() -> None:
    script = Script()

    for number in range(20):
        script.get(b"name-%d" % number, found("10.0.0.1"))

    assert script.names.known_names(at("10.0.0.1")) == tuple(f"name-{number}" for number in range(12, 20))


def names_for(script: Script, host: str, *wanted: str) -> list[tuple[str, ...]]:
    came: list[tuple[str, ...]] = []
    script.names.find_names(at(host), wanted, came.append)
    script.take()
    return came


def test_a_remote_filters_names_are_looked_up_there() -> None:
    script = Script(outgoing_filter=Filter(remote=True, entries=(FilterEntry(name="db"),)))

    came = names_for(script, "10.0.0.1", "db", "api")
    assert [ask.request for ask in script.asks] == [Resolve(b"db", Families.IPV4), Resolve(b"api", Families.IPV4)]
    script.tell(found("10.0.0.1"))
    assert came == []
    script.tell(NOTHING)

    assert came == [("db",)]
    assert script.here == []
    assert names_for(script, "10.0.0.1", "db") == [("db",)]


def test_a_local_filters_names_are_looked_up_on_both_sides() -> None:
    by = Filter(remote=False, entries=(FilterEntry(name="db"),))
    script = Script(outgoing_filter=by, name_filter=by)

    came = names_for(script, "fd00::7", "db")
    again = names_for(script, "fd00::7", "db")
    assert [action.name for action in script.here] == [b"db"]
    assert [ask.request for ask in script.asks] == [Resolve(b"db", Families.IPV6)]
    script.tell_here("fd00::7")
    script.refuse(LOST)

    assert came == again == [("db",)]


def test_names_are_looked_up_here_where_all_are_this_machines() -> None:
    script = Script(names=False, outgoing_filter=Filter(remote=True, entries=(FilterEntry(name="db"),)))

    came = names_for(script, "10.0.0.1", "db")
    assert script.asks == []
    script.tell_here("10.0.0.2")

    assert came == [()]


def test_an_addresss_own_name_comes_after_those_that_programs_use() -> None:
    script = Script()
    script.get(b"db", found("10.0.0.1"))
    script.ask(LayerOperation.REVERSE, encode_layer_address(at("10.0.0.1")))
    script.tell(Resolved(outcome=NameOutcome.FOUND, name=b"ip-10-0-0-1"))

    assert script.names.known_names(at("10.0.0.1")) == ("ip-10-0-0-1", "db")


def test_where_a_local_connection_goes_whose_address_is_the_targets() -> None:
    script = Script()
    script.get(b"db", found("10.0.0.1", "fd00::1"))
    came: list[Address | None] = []

    for address in (at("9.9.9.9", 80), at("10.0.0.1", 80), at("::ffff:10.0.0.1", 80), at("fd00::1", 80)):
        script.names.find_here(address, came.append)
    script.take()
    assert came == [None]
    assert len(script.here) == 1
    script.tell_here("192.168.0.9", "192.168.0.8")

    assert came == [None, at("192.168.0.9", 80), at("::ffff:192.168.0.9", 80), None]


def test_a_local_connection_to_an_address_that_means_the_same_here() -> None:
    script = Script()
    script.get(b"db", found("10.0.0.1"))
    came: list[Address | None] = []

    script.names.find_here(at("10.0.0.1", 80), came.append)
    script.take()
    script.tell_here("10.0.0.2", "10.0.0.1")
    script.names.find_here(at("10.0.0.1", 80), came.append)
    script.take()
    script.tell_here()

    assert came == [None, None]
