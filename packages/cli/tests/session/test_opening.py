"""What `open`, `list` and `enter` hand out: made, shared, found again, or refused with an errno."""

from __future__ import annotations

import os

import pytest

from mirrord_cli.session.actions import (
    Answer,
    AnswerStream,
    Close,
    MakeDirectory,
    MakeLarge,
    MakeWhole,
    Release,
)
from mirrord_cli.session.standins.registry import Budget
from mirrord_protocol.layer_values import LayerForm, LayerOperation
from mirrord_protocol.values import Form, Open, Opened, OpenFlag
from session_machine import FOLDER, LINK, Script, large, listed, status, whole

OPEN, STAT, LIST, ENTER = LayerOperation.OPEN, LayerOperation.STAT, LayerOperation.LIST, LayerOperation.ENTER
FIFO = 0o010000


def answer(script: Script, channel: int) -> Answer:
    found = script.answers[channel]
    assert isinstance(found, Answer)
    return found


def test_a_small_file() -> None:
    script = Script()

    reply = script.get(OPEN, b"/srv/a", whole(b"abc"))

    assert (reply.form, reply.stat, reply.device) == (LayerForm.WHOLE, status(3), 1)
    assert script.made == [MakeWhole(1, b"abc", status(3))]
    assert script.counters == (0, 1, 0)


def test_again_within_the_time_to_live() -> None:
    script = Script()
    first = script.get(OPEN, b"/srv/a", whole(b"abc"))

    again = script.get(OPEN, b"/srv/a")

    assert (again.inode, again.stat) == (first.inode, first.stat)
    assert (script.asked, len(script.made)) == (1, 1)


def test_after_a_listing_whose_stat_is_the_contents() -> None:
    script = Script()
    script.get(OPEN, b"/srv/a", whole(b"abc"))
    script.now = 5
    script.get(LIST, b"/srv", listed("a"))

    script.get(OPEN, b"/srv/a")

    assert script.asked == 2


def test_a_file_that_changed() -> None:
    script = Script()
    first = script.get(OPEN, b"/srv/a", whole(b"abc"))
    script.now = 5
    script.get(STAT, b"/srv/a", (status(3, version=2), b""))

    second = script.get(OPEN, b"/srv/a", whole(b"xyz", version=2))

    assert second.inode != first.inode
    assert script.rest == [Release(1)]  # nobody else is to get the old content
    assert script.get(LayerOperation.IDENTIFY, b"", device=first.device, inode=first.inode).stat == status(3)


def test_fresh_content_is_what_a_program_gets_even_where_its_stat_looks_the_same() -> None:
    script = Script()
    script.get(OPEN, b"/srv/a", whole(b"abc"))
    script.now = 5

    script.get(OPEN, b"/srv/a", whole(b"xyz"))

    assert [made.content for made in script.made if isinstance(made, MakeWhole)] == [b"abc", b"xyz"]


def test_many_at_once_share_the_round_trip_and_the_content() -> None:
    script = Script()
    channels = [script.ask(OPEN, b"/srv/a") for _ in range(4)]

    script.tell(*whole())

    assert script.asked == len(script.made) == 1
    assert {script.reply(channel).inode for channel in channels} == {100}


@pytest.mark.parametrize(
    ("known", "flags", "errno"),
    [
        (LINK, os.O_NOFOLLOW, "ELOOP"),
        (status(), os.O_DIRECTORY, "ENOTDIR"),
        (status(kind=0o040000, allowed=1), 0, "EACCES"),
        ("ENOENT", 0, "ENOENT"),
    ],
)
def test_what_is_known_to_fail_fails_at_once(known: object, flags: int, errno: str) -> None:
    script = Script()
    channel = script.ask(STAT, b"/srv/a", flags=0x100 if flags == os.O_NOFOLLOW else 0)
    if isinstance(known, str):
        script.refuse(known)
    else:
        script.tell(known)  # type: ignore[arg-type]

    assert script.get(OPEN, b"/srv/a", flags=flags).errno == errno
    assert script.asked == 1
    assert channel in script.answers


def test_an_unreadable_file_is_the_targets_to_refuse() -> None:
    """Who may read is told by the stat; why not, by the target."""
    script = Script()
    script.get(STAT, b"/srv/a", (status(allowed=0), b""))
    channel = script.ask(OPEN, b"/srv/a")
    script.refuse("EACCES")

    assert script.outcome(channel) == "EACCES"


@pytest.mark.parametrize("errno", ["EMFILE", "ENOSPC"])
@pytest.mark.parametrize("told", [whole(), large(2 << 20, 100), (Opened(FOLDER, Form.DIRECTORY, complete=True), b"")])
def test_nothing_can_be_made(told: tuple[Opened, bytes], errno: str) -> None:
    script = Script(no_room=errno)

    assert script.get(OPEN, b"/srv/a", told).errno == errno
    assert script.counters == (0, 0, 0)
    assert script.rest == ([Close(1)] if told[0].form is Form.LARGE else [])


def test_a_large_file() -> None:
    script = Script()

    reply = script.get(OPEN, b"/srv/a", large(10 << 20, 128 << 10))

    assert (reply.form, reply.device) == (LayerForm.FILLING, 2)
    assert script.made == [MakeLarge(1, 10 << 20, bytes(128 << 10), 8 * 512)]
    assert script.counters == (1, 1, 0)


def test_a_large_file_again() -> None:
    """It goes on filling; the second handle on the target isn't needed."""
    script = Script()
    first = script.get(OPEN, b"/srv/a", large(10 << 20, 100))
    script.now = 5

    again = script.get(OPEN, b"/srv/a", large(10 << 20, 100))

    assert again.inode == first.inode
    assert script.rest == [Close(2)]
    assert script.counters == (1, 2, 0)


def test_a_file_read_by_request_is_each_programs_own() -> None:
    script = Script()
    told = Opened(status(0), Form.REQUEST, complete=False), b""
    channels = [script.ask(OPEN, b"/srv/a") for _ in range(2)]
    script.tell(*told)
    script.tell(*told)

    inodes = {script.reply(channel).inode for channel in channels}

    assert len(inodes) == 2
    assert script.reply(channels[0]).form is LayerForm.REQUEST
    assert script.rest == [Release(1), Release(2)]
    assert script.counters == (2, 2, 0)


def test_a_stream_is_each_programs_own() -> None:
    script = Script()
    told = Opened(status(0, kind=FIFO), Form.STREAM, complete=False), b""
    channels = [script.ask(OPEN, b"/srv/fifo") for _ in range(2)]
    script.tell(*told)
    script.tell(*told)

    answers = [script.answers[channel] for channel in channels]

    assert [each.ask for each in answers if isinstance(each, AnswerStream)] == [1, 2]
    assert answers[0].reply.form is LayerForm.STREAM


def test_a_directory_is_one_object_however_it_is_come_by() -> None:
    script = Script()
    opened = script.get(OPEN, b"/srv/d", (Opened(FOLDER, Form.DIRECTORY, complete=True), b""))
    entered = script.get(ENTER, b"/srv/d")
    slash = script.get(ENTER, b"/srv/d/")
    listing = script.get(LIST, b"/srv/d", listed("x"))

    assert {each.inode for each in (opened, entered, slash, listing)} == {100}
    assert script.made == [MakeDirectory(1)]
    assert script.counters == (0, 0, 4)


def test_a_listing_comes_with_its_directory() -> None:
    script = Script()
    channel = script.ask(LIST, b"/srv")
    other = script.ask(LIST, b"/srv")
    script.tell(*listed("a", "b"))

    found = answer(script, channel)

    assert (found.listing, found.stand_in) == (listed("a", "b")[1], 1)
    assert found.reply.stat == FOLDER
    assert answer(script, other).listing == found.listing


def test_a_name_for_a_file() -> None:
    """O_PATH: one that may be read comes with its content, since a program may open it by /proc."""
    script = Script()
    file = script.ask(OPEN, b"/srv/a", flags=os.O_PATH)
    assert script.asks[0].request == Open(b"/srv/a", OpenFlag.PATH_ONLY, 0, 0)
    script.tell(Opened(status(3), Form.NOTHING, complete=True))
    script.tell(*whole())
    link = script.ask(OPEN, b"/srv/l", flags=os.O_PATH | os.O_NOFOLLOW)
    script.tell(Opened(LINK, Form.NOTHING, complete=True))
    folder = script.ask(OPEN, b"/srv", flags=os.O_PATH)
    script.tell(Opened(FOLDER, Form.NOTHING, complete=True))

    assert script.reply(file).form is LayerForm.WHOLE
    assert (script.reply(link).form, script.reply(link).stat) == (LayerForm.WHOLE, LINK)
    assert script.reply(folder).form is LayerForm.DIRECTORY
    assert Release(2) in script.rest  # of a link nobody else needs the stand-in


def test_beyond_the_budget_what_was_used_longest_ago_is_released() -> None:
    script = Script(budget=Budget(2))
    for name in (b"/srv/a", b"/srv/b"):
        script.get(OPEN, name, whole())
    script.get(OPEN, b"/srv/a")

    third = script.get(OPEN, b"/srv/c", whole())

    assert script.rest == [Release(2)]
    assert third.errno is None
    assert script.get(LayerOperation.IDENTIFY, b"", device=1, inode=101).form is LayerForm.WHOLE
    script.do(script.machine.vanished(2))
    assert script.get(LayerOperation.IDENTIFY, b"", device=1, inode=101).form is LayerForm.FOREIGN


def test_a_full_disk_with_files_that_nobody_has_open() -> None:
    script = Script()
    for path in (b"/srv/a", b"/srv/b", b"/srv/c"):
        script.get(OPEN, path, large(5 << 20, 5 << 20))
    script.do(script.machine.unheld(1, 0))
    script.do(script.machine.unheld(2, 0))
    script.get(OPEN, b"/srv/b")  # held again

    script.full = 1
    reply = script.get(OPEN, b"/srv/d", large(5 << 20, 5 << 20))

    assert reply.form is LayerForm.FILLING
    assert [each.stand_in for each in script.rest if isinstance(each, Release)] == [1]
    assert [each.stand_in for each in script.made] == [1, 2, 3, 4, 4]
    script.full = 1
    assert script.get(OPEN, b"/srv/e", large(5 << 20, 5 << 20)).errno == "ENOSPC"
