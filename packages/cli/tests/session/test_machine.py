"""What questions of layers lead to, as scripts of events: who is asked, what is answered, what is remembered."""

from __future__ import annotations

import os

import pytest

from mirrord_cli.session.actions import AnswerTable, Ask, Close
from mirrord_cli.session.settings import FileRules, Mode
from mirrord_protocol.layer_values import LayerForm, LayerOperation, LayerOutcome
from mirrord_protocol.values import (
    FailureKind,
    FileSystem,
    FileSystemOf,
    ListDirectory,
    Open,
    OpenFlag,
    ReadLink,
    RealPath,
    StatPath,
)
from session_machine import FOLDER, LINK, Script, listed, status, whole

OPEN, STAT, ACCESS, LIST = LayerOperation.OPEN, LayerOperation.STAT, LayerOperation.ACCESS, LayerOperation.LIST
ENTER, IDENTIFY, PLACE = LayerOperation.ENTER, LayerOperation.IDENTIFY, LayerOperation.PLACE
READLINK, REALPATH = LayerOperation.READLINK, LayerOperation.REALPATH
NOFOLLOW = 0x100
LOCAL = LayerOutcome.LOCAL


def rules(**options: object) -> FileRules:
    return FileRules(home=b"/h", working_directory=b"/w", temporary=b"/t", executable=b"/bin/x", **options)  # type: ignore[arg-type]


# ---------------------------------------------------------------------------------------------- whose is it


@pytest.mark.parametrize("operation", [OPEN, STAT, ACCESS, LIST, ENTER, READLINK, REALPATH, PLACE])
def test_a_local_path_is_answered_at_once(operation: LayerOperation) -> None:
    script = Script()

    reply = script.get(operation, b"/etc/passwd")

    assert (reply.outcome, reply.payload, script.asked) == (LOCAL, 0, 0)


def test_a_local_path_is_published(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script()
    added: list[tuple[bytes, int]] = []
    monkeypatch.setattr(script.table, "add_slot", lambda path, flags: added.append((path, int(flags))))

    script.get(STAT, b"/etc/passwd")
    script.get(STAT, b"/etc/../etc//passwd")
    script.get(OPEN, b"/srv/new", flags=os.O_WRONLY | os.O_CREAT)

    assert added == [(b"/etc/passwd", 3), (b"/srv/new", 2)]


@pytest.mark.parametrize(
    ("operation", "numbers"),
    [
        (OPEN, {"flags": os.O_WRONLY}),
        (OPEN, {"flags": os.O_RDWR}),
        (OPEN, {"flags": os.O_RDONLY | os.O_CREAT}),
        (OPEN, {"flags": os.O_RDONLY | os.O_TRUNC}),
        (ACCESS, {"mode": os.W_OK}),
        (PLACE, {}),
    ],
)
def test_changes_are_local(operation: LayerOperation, numbers: dict[str, int]) -> None:
    assert Script().get(operation, b"/srv/file", **numbers).outcome is LOCAL


def test_a_relative_path_below_a_remote_directory() -> None:
    script = Script()
    base = script.get(ENTER, b"/srv/shop", (FOLDER, b""))

    channel = script.ask(STAT, b"a/./b", device=base.device, inode=base.inode)
    place = script.ask(PLACE, b"../new", device=base.device, inode=base.inode)
    outside = script.ask(STAT, b"/etc/passwd", device=base.device, inode=base.inode)

    assert script.asks[0].request == StatPath(b"/srv/shop/a/b")
    assert script.payload(place) == b"/srv/new"
    assert script.reply(outside).outcome is LOCAL
    assert channel not in script.answers


def test_a_relative_path_that_leaves_a_remote_directory_for_a_local_one_gets_the_path_to_use() -> None:
    script = Script()
    base = script.get(ENTER, b"/srv", (FOLDER, b""))

    channel = script.ask(STAT, b"../etc/passwd", device=base.device, inode=base.inode)

    assert (script.reply(channel).outcome, script.payload(channel)) == (LOCAL, b"/etc/passwd")


def test_dots_go_to_the_target_as_they_are() -> None:
    script = Script()

    script.ask(STAT, b"/srv/link/../x")
    script.ask(STAT, b"/srv//y/.")

    assert [ask.request for ask in script.asks if isinstance(ask.request, StatPath)] == [
        StatPath(b"/srv/link/../x"), StatPath(b"/srv/y/")]  # fmt: skip


def test_an_unknown_base_directory() -> None:
    script = Script()

    assert script.get(STAT, b"a", device=3, inode=77).errno == "ESTALE"


def test_relative_paths_in_local_directories() -> None:
    script = Script(rules(not_found=("secret",)))

    assert script.get(STAT, b"my-secret").errno == "ENOENT"
    assert script.get(STAT, b"other").outcome is LOCAL


def test_mapping_and_not_found() -> None:
    script = Script(rules(mapping=(("^/virtual", "/srv"), ("^/mine", "/etc")), not_found=("hidden",)))

    assert script.get(STAT, b"/srv/hidden").errno == "ENOENT"
    channel = script.ask(STAT, b"/mine/x")
    script.ask(STAT, b"/virtual/x")

    assert (script.reply(channel).outcome, script.payload(channel)) == (LOCAL, b"/etc/x")
    assert script.asks[0].request == StatPath(b"/srv/x")


def test_a_name_that_no_path_can_have() -> None:
    assert Script().get(STAT, b"/srv/a\0b").errno == "EINVAL"


def test_mode_local() -> None:
    assert Script(rules(mode=Mode.LOCAL)).get(STAT, b"/srv/x").outcome is LOCAL


# ---------------------------------------------------------------------------------------------- facts


def test_stat_is_remembered_for_the_time_to_live() -> None:
    script = Script()

    first = script.get(STAT, b"/srv/a", (status(), b""))
    again = script.get(STAT, b"/srv/a")
    script.now = 1.5
    late = script.ask(STAT, b"/srv/a")

    assert first.stat == again.stat == status()
    assert late not in script.answers


def test_nothing_is_remembered_with_no_time_to_live() -> None:
    script = Script(time_to_live=0)

    script.get(STAT, b"/srv/a", (status(), b""))
    script.ask(STAT, b"/srv/a")
    script.ask(LIST, b"/srv")

    assert [ask.request for ask in script.asks] == [StatPath(b"/srv/a"), ListDirectory(b"/srv", watch=False)]


def test_what_is_not_there_is_remembered() -> None:
    script = Script()
    first = script.ask(STAT, b"/srv/no")
    script.refuse("ENOENT")

    again = script.ask(STAT, b"/srv/no")
    below = script.ask(OPEN, b"/srv/no/file")

    assert {script.outcome(channel) for channel in (first, again, below)} == {"ENOENT"}
    assert script.asked == 1


def test_equal_questions_share_a_round_trip() -> None:
    script = Script()
    channels = [script.ask(STAT, b"/srv/a") for _ in range(5)]
    assert script.asked == 1

    script.tell(status(7))

    assert [script.reply(channel).stat for channel in channels] == [status(7)] * 5


def test_a_listing_answers_for_its_entries() -> None:
    script = Script()
    script.get(LIST, b"/srv", listed("a", "b", link=LINK))

    assert script.get(STAT, b"/srv/a").stat == status()
    assert script.get(STAT, b"/srv/c").errno == "ENOENT"
    assert script.get(ACCESS, b"/srv/b", mode=os.R_OK).errno is None
    assert script.get(READLINK, b"/srv/a").errno == "EINVAL"
    assert script.get(STAT, b"/srv/link", flags=NOFOLLOW).stat == LINK
    assert script.get(STAT, b"/srv").stat == FOLDER
    assert script.asked == 1
    script.ask(STAT, b"/srv/link")
    assert script.asked == 2


def test_a_watched_listing_holds_until_it_changes() -> None:
    script = Script()
    script.get(LIST, b"/srv", listed("a"))
    ask = 1
    script.now = 1000

    assert script.get(STAT, b"/srv/a").stat == status()
    script.do(script.machine.changed(ask))
    script.ask(STAT, b"/srv/a")

    assert [each.request for each in script.asks] == [StatPath(b"/srv/a")]


def test_a_watch_that_nobody_needs_is_ended() -> None:
    script = Script()
    script.get(LIST, b"/srv", listed("a"))
    script.do(script.machine.changed(1))

    script.get(LIST, b"/srv", listed("a"))
    script.do(script.machine.changed(2))
    script.get(LIST, b"/srv", listed("a", watched=False))

    assert script.rest == []  # they ended by the change
    other = Script()
    other.get(LIST, b"/srv", (listed("a")[0], bytes(5 << 20)))  # more than is remembered
    assert other.rest == [Close(1)]


def test_access() -> None:
    script = Script()
    script.get(STAT, b"/srv/a", (status(allowed=4), b""))

    assert script.get(ACCESS, b"/srv/a", mode=0).errno is None
    assert script.get(ACCESS, b"/srv/a", mode=os.R_OK).errno is None
    assert script.get(ACCESS, b"/srv/a", mode=os.X_OK).errno == "EACCES"


def test_links() -> None:
    script = Script()
    link, real = script.ask(READLINK, b"/srv/l"), script.ask(REALPATH, b"/srv/l")
    assert [ask.request for ask in script.asks] == [ReadLink(b"/srv/l"), RealPath(b"/srv/l")]
    script.tell(b"there")
    script.tell(b"/srv/there")

    assert (script.payload(link), script.payload(real)) == (b"there", b"/srv/there")
    assert script.get(READLINK, b"/srv/l").payload == 5
    assert script.get(REALPATH, b"/srv/l").payload == 10
    assert script.asked == 2


@pytest.mark.parametrize(
    ("errno", "kind", "expected"),
    [
        ("ELOOP", FailureKind.SYSTEM, "ELOOP"),
        (None, FailureKind.UNSUPPORTED, "ENOTSUP"),
        (None, FailureKind.FORBIDDEN, "EACCES"),
        (None, FailureKind.GONE, "EIO"),
        (None, FailureKind.INTERNAL, "EIO"),
    ],
)
@pytest.mark.parametrize("operation", [OPEN, STAT, ACCESS, LIST, ENTER, READLINK, REALPATH, LayerOperation.FILE_SYSTEM])
def test_what_the_agent_refuses(operation: LayerOperation, errno: str | None, kind: FailureKind, expected: str) -> None:
    script = Script()
    channel = script.ask(operation, b"/srv/x")
    script.refuse(errno, kind=kind)

    assert script.outcome(channel) == expected


# ---------------------------------------------------------------------------------------------- the rest


def test_enter() -> None:
    script = Script()

    assert script.get(ENTER, b"/srv/file", (status(), b"")).errno == "ENOTDIR"
    assert script.get(ENTER, b"/srv/closed", (status(kind=0o040000, allowed=4), b"")).errno == "EACCES"
    entered = script.get(ENTER, b"/srv", (FOLDER, b""))
    assert entered.form is LayerForm.DIRECTORY
    again = script.get(ENTER, b"", device=entered.device, inode=entered.inode)
    assert (again.device, again.inode) == (entered.device, entered.inode)


def test_identify() -> None:
    script = Script()
    folder = script.get(ENTER, b"/srv", (FOLDER, b""))
    file = script.get(OPEN, b"/srv/a", whole(b"abc"))
    script.now = 5

    known = script.get(IDENTIFY, b"", device=file.device, inode=file.inode)
    foreign = script.get(IDENTIFY, b"", device=1, inode=1)
    channel = script.ask(IDENTIFY, b"", device=folder.device, inode=folder.inode)

    assert (known.form, known.stat) == (LayerForm.WHOLE, status(3))
    assert (foreign.form, foreign.errno) == (LayerForm.FOREIGN, None)
    assert script.asks[-1].request == StatPath(b"/srv")
    script.refuse("ENOENT", index=-1)  # it was removed meanwhile
    assert script.reply(channel).stat == FOLDER


def test_file_system() -> None:
    script = Script()
    folder = script.get(ENTER, b"/srv", (FOLDER, b""))
    channel = script.ask(LayerOperation.FILE_SYSTEM, b"", device=folder.device, inode=folder.inode)
    assert script.asks[0].request == FileSystemOf(b"/srv")

    script.tell(FileSystem(
        type=1, block_size=2, blocks=3, blocks_free=4, blocks_available=5, files=6, files_free=7, id=8, name_length=9,
        fragment_size=10, flags=11))  # fmt: skip

    assert script.reply(channel).payload == len(script.payload(channel)) > 0


def test_table() -> None:
    script = Script()

    assert isinstance(script.answers[script.ask(LayerOperation.TABLE)], AnswerTable)


def test_notice() -> None:
    script = Script()
    channel = script.ask(LayerOperation.NOTICE, b"/bin/tool")

    assert b"tool" in script.payload(channel)


def test_the_agent_is_lost() -> None:
    script = Script()
    script.get(STAT, b"/srv/known", (status(), b""))
    waiting = [script.ask(STAT, b"/srv/a"), script.ask(OPEN, b"/srv/b"), script.ask(LIST, b"/srv/c")]

    script.do(script.machine.lost("it fell over"))
    later = [script.ask(operation, b"/srv/known") for operation in (STAT, OPEN, LIST, ENTER, READLINK)]

    assert {script.outcome(channel) for channel in waiting + later} == {"EIO"}
    assert script.get(STAT, b"/etc/passwd").outcome is LOCAL
    assert script.machine.is_lost
    told = [script.payload(script.ask(LayerOperation.NOTICE, b"/bin/x", flags=9)) for _ in range(2)]
    assert b"it fell over" in told[0]
    assert told[1] == b""


def test_every_operation_is_answered_once_whatever_the_flags() -> None:
    """Each question ends in one answer, for all numbers that a layer, or someone else, may send."""
    for operation in LayerOperation:
        for flags in (0, 0xFFFFFFFF, os.O_PATH | os.O_NOFOLLOW, os.O_DIRECTORY):
            script = Script()
            channel = script.ask(operation, b"/srv/x", flags=flags, mode=0, offset=1 << 63, length=(1 << 64) - 1)
            while script.asks:
                script.refuse("EPERM")
            assert channel in script.answers, operation


def test_open_tells_the_agent_what_the_flags_mean() -> None:
    script = Script()
    script.ask(OPEN, b"/srv/a", flags=os.O_NOFOLLOW | os.O_DIRECTORY | os.O_NONBLOCK | os.O_CLOEXEC)

    [ask] = script.asks
    assert isinstance(ask, Ask)
    assert ask.request == Open(b"/srv/a", OpenFlag.NO_FOLLOW | OpenFlag.DIRECTORY | OpenFlag.NON_BLOCKING)
