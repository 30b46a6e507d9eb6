"""A directory in which one thing after another is looked for is listed unasked."""

from __future__ import annotations

import pytest

from mirrord_cli.session.actions import Close
from mirrord_cli.session.looking import AT_ONCE, LONGEST
from mirrord_cli.session.questions import TOO_LONG
from mirrord_protocol.layer_values import LayerOperation
from mirrord_protocol.values import ListDirectory
from session_machine import Script, listed, status

STAT, OPEN, LIST = LayerOperation.STAT, LayerOperation.OPEN, LayerOperation.LIST


def look(script: Script, *paths: bytes) -> list[str | None]:
    """Stat paths that aren't there; the errnos."""
    channels = []
    for path in paths:
        channels.append(script.ask(STAT, path))
        if script.asks:
            script.refuse("ENOENT")
    return [script.outcome(channel) for channel in channels]


def deliver(script: Script) -> None:
    """The first listing that was asked for unasked comes."""
    script.do(script.machine.answered(script.looks.pop(0).ask, *listed("here"), script.now))


def test_the_third_needs_no_round_trip() -> None:
    script = Script()
    assert look(script, b"/srv/1") == ["ENOENT"]
    assert script.looks == []
    look(script, b"/srv/2")
    assert [look.request for look in script.looks] == [ListDirectory(b"/srv", watch=True)]
    assert script.looks[0].most == LONGEST
    deliver(script)

    assert look(script, b"/srv/3", b"/srv/4") == ["ENOENT", "ENOENT"]
    assert script.get(STAT, b"/srv/here").stat == status()
    assert script.asked == 2


def test_opens_count_too() -> None:
    script = Script()
    for path in (b"/srv/1", b"/srv/2"):
        script.ask(OPEN, path)
        script.refuse("ENOENT")

    assert len(script.looks) == 1


def test_a_directory_that_keeps_changing_is_listed_again_and_more_rarely() -> None:
    script = Script()
    listings = 0
    for number in range(40):
        look(script, b"/srv/%d" % number)
        while script.looks:
            listings += 1
            ask = script.looks[0].ask
            deliver(script)
            script.do(script.machine.changed(ask))

    assert listings == 3
    assert script.asked == 40


def test_a_directory_that_cannot_be_listed_is_listed_once() -> None:
    script = Script()
    look(script, b"/srv/1", b"/srv/2")
    script.do(script.machine.refused(script.looks.pop().ask, TOO_LONG, 0))

    look(script, *(b"/srv/%d" % number for number in range(3, 20)))

    assert script.looks == []
    assert script.asked == 19


def test_few_are_listed_at_once() -> None:
    script = Script()
    for folder in range(10):
        look(script, b"/srv/%d/a" % folder, b"/srv/%d/b" % folder)

    assert len(script.looks) == AT_ONCE


@pytest.mark.parametrize("path", [b"/srv/link/../%d", b"/srv/%d/"])
def test_paths_that_say_nothing_of_a_directory(path: bytes) -> None:
    script = Script()

    look(script, path % 1, path % 2, path % 3)

    assert script.looks == []


def test_a_program_that_lists_it_meanwhile_shares_the_round_trip() -> None:
    script = Script()
    look(script, b"/srv/1", b"/srv/2")
    channel = script.ask(LIST, b"/srv")
    assert script.asks == []

    deliver(script)

    assert script.outcome(channel) is None


def test_a_program_that_lists_it_gets_all_of_it_however_long() -> None:
    script = Script()
    look(script, b"/srv/1", b"/srv/2")
    channels = [script.ask(LIST, b"/srv") for _ in range(2)]
    script.do(script.machine.refused(script.looks.pop().ask, TOO_LONG, 0))

    [ask] = script.asks
    assert ask.most is None
    script.tell(*listed("a"))

    assert [script.outcome(channel) for channel in channels] == [None, None]
    assert Close(ask.ask) not in script.rest
