"""What holds no more: after the agent's loss, and watches that nobody needs."""

from __future__ import annotations

from mirrord_cli.session.actions import Action, Close
from mirrord_cli.session.cache import Cache
from mirrord_cli.session.facts import Facts
from mirrord_cli.session.questions import Refused, Told
from mirrord_protocol.values import Failure, FailureKind
from session_machine import listed, status


def test_nothing_holds_without_an_agent() -> None:
    facts = Facts(Cache(1))
    facts.learn_stat(b"/a", status(), 0, follow=True)
    facts.learn_readlink(b"/l", b"x", 0)
    facts.learn_realpath(b"/a", b"/b", 0)
    facts.learn_listing(b"/d", Told(1, *listed("x")))
    known = facts.stat(b"/a"), facts.readlink(b"/l"), facts.realpath(b"/a"), facts.listing(b"/d")
    assert None not in known

    facts.lose()

    assert {facts.stat(b"/a"), facts.readlink(b"/l"), facts.realpath(b"/a"), facts.listing(b"/d")} == {None}


def test_a_listing_is_remembered_by_the_first_alone() -> None:
    """Those who shared the question know the same, and its watch is one."""
    facts = Facts(Cache(1))
    told = Told(1, *listed("x"))
    facts.learn_listing(b"/d", told)
    facts.learn_listing(b"/d", Told(1, *listed("x"), first=False))
    actions: list[Action] = []

    facts.tidy(actions)
    assert actions == []
    facts.learn_listing(b"/d", Told(2, *listed("x")))
    facts.tidy(actions)

    assert actions == [Close(1)]


def test_a_refused_listing() -> None:
    facts = Facts(Cache(1))

    assert facts.learn_listing(b"/d", Refused(Failure(FailureKind.SYSTEM, "EACCES"))) == "EACCES"
    assert facts.listing(b"/d") == "EACCES"
