"""Search lists, and what answers amount to: scripts. The driver's tests compare the same with glibc."""

from __future__ import annotations

import pytest

from mirrord_agent.names.config.machine import Resolver
from mirrord_agent.names.machine import Answer, Search, combine, is_localhost
from mirrord_protocol.network_values import NameOutcome

FOUND, NO_NAME, NO_DATA = NameOutcome.FOUND, NameOutcome.NO_NAME, NameOutcome.NO_DATA
AGAIN, FAILED = NameOutcome.TRY_AGAIN, NameOutcome.FAILED
KUBERNETES = Resolver(search=(b"a.svc", b"svc"), ndots=5)
PLAIN = Resolver(search=(b"a.test", b"b.test."))


def script(
    name: bytes, resolver: Resolver, *outcomes: NameOutcome, failure: bool = False
) -> tuple[list[bytes], NameOutcome]:
    """The names asked for, when they end so one after another and the last outcome goes on for ever."""
    search, asked = Search(name, resolver), list[bytes]()
    while (full := search.next()) is not None:
        outcome = outcomes[min(len(asked), len(outcomes) - 1)]
        asked.append(full)
        search.tell(Answer(outcome, failure=failure and outcome == AGAIN))
    return asked, search.outcome


@pytest.mark.parametrize(
    ("name", "resolver", "asked"),
    [
        (b"shop", KUBERNETES, [b"shop.a.svc", b"shop.svc", b"shop"]),
        (b"www.example.com", KUBERNETES, [b"www.example.com.a.svc", b"www.example.com.svc", b"www.example.com"]),
        (b"a.b.c.d.e.f", KUBERNETES, [b"a.b.c.d.e.f", b"a.b.c.d.e.f.a.svc", b"a.b.c.d.e.f.svc"]),
        (b"shop.", KUBERNETES, [b"shop"]),
        (b"a.b", PLAIN, [b"a.b", b"a.b.a.test", b"a.b.b.test"]),
        (b"a", PLAIN, [b"a.a.test", b"a.b.test", b"a"]),
        (b"a", Resolver(), [b"a"]),
        (b"a", Resolver(search=(b"",)), [b"a"]),
        (b"a", Resolver(search=(b"", b"x")), [b"a", b"a.x"]),
        (b"a", Resolver(search=(b"x",), no_single_names=True), [b"a.x"]),
        (b"a.b", Resolver(search=(b"x",), no_single_names=True, ndots=2), [b"a.b.x", b"a.b"]),
    ],
)
def test_names_that_are_asked_for(name: bytes, resolver: Resolver, asked: list[bytes]) -> None:
    assert script(name, resolver, NO_NAME) == (asked, NO_NAME)


def test_the_first_that_is_found_ends_it() -> None:
    assert script(b"shop", KUBERNETES, NO_NAME, FOUND) == ([b"shop.a.svc", b"shop.svc"], FOUND)
    assert script(b"shop", KUBERNETES, NO_DATA, FOUND) == ([b"shop.a.svc", b"shop.svc"], FOUND)


def test_why_nothing_was_found() -> None:
    everything = [b"shop.a.svc", b"shop.svc", b"shop"]
    assert script(b"shop", KUBERNETES, NO_DATA, NO_NAME) == (everything, NO_DATA)
    assert script(b"a.b", PLAIN, NO_NAME, NO_DATA)[1] == NO_NAME  # as it is, it was asked for first
    assert script(b"shop", KUBERNETES, AGAIN, NO_NAME, failure=True) == (everything, AGAIN)
    assert script(b"shop", KUBERNETES, AGAIN, NO_NAME) == ([b"shop.a.svc", b"shop"], NO_NAME)
    assert script(b"shop", KUBERNETES, FAILED) == ([b"shop.a.svc", b"shop"], FAILED)
    assert script(b"shop.", KUBERNETES, AGAIN) == ([b"shop"], AGAIN)


def test_nobody_to_ask() -> None:
    search = Search(b"shop", KUBERNETES)
    assert search.next()
    search.tell(Answer(AGAIN), refused=True)
    assert search.next() is None
    assert search.outcome == AGAIN


def test_an_alias_that_leads_nowhere_ends_it() -> None:
    search = Search(b"shop", KUBERNETES)
    assert search.next()
    search.tell(Answer(NO_DATA, dangling=True))
    assert search.next() is None
    assert search.outcome == NO_DATA


V4, V6 = Answer(FOUND, (b"four",), b"name", 60), Answer(FOUND, (b"six",), b"name", 30)


def test_both_families() -> None:
    assert combine([V4, V6]) == Answer(FOUND, (b"four", b"six"), b"name", 30)
    assert combine([V4, Answer(NO_DATA, lifetime=5)]) == Answer(FOUND, (b"four",), b"name", 5)
    assert combine([V4, None]) == Answer(FOUND, (b"four",), b"name", 0)  # the other may come next time
    assert combine([Answer(AGAIN, failure=True), V6]).outcome == FOUND
    assert combine([None, None]) == combine([]) == Answer(AGAIN)
    assert combine([Answer(NO_NAME, lifetime=9), Answer(NO_NAME, lifetime=7)]) == Answer(NO_NAME, lifetime=7)
    assert combine([None, Answer(NO_DATA, lifetime=7)]) == Answer(NO_DATA)
    assert combine([Answer(AGAIN, failure=True), Answer(NO_DATA)]).outcome == NO_DATA
    assert combine([Answer(AGAIN, failure=True)] * 2).failure


def test_localhost() -> None:
    for name, local in (
        (b"localhost", True),
        (b"LOCALHOST.", True),
        (b"a.b.localhost", True),
        (b"localhost.test", False),
    ):
        assert is_localhost(name) is local
