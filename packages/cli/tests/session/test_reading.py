"""Large files until they are whole, files read by request, and how content is let go of."""

from __future__ import annotations

from mirrord_cli.session.actions import Answer, Close, Finish, MakeLarge, Release, StopRange
from mirrord_cli.session.reading import PARTLY_KEPT, PORTION, WHOLLY_KEPT
from mirrord_protocol.layer_values import LayerForm, LayerOperation, LayerReply
from mirrord_protocol.values import Form, Opened, Read
from session_machine import Script, large, status, whole

OPEN, WAIT, READ = LayerOperation.OPEN, LayerOperation.WAIT, LayerOperation.READ
SIZE, HEAD = 10 << 20, 128 << 10


def opened() -> tuple[Script, LayerReply]:
    script = Script()
    return script, script.get(OPEN, b"/srv/a", large(SIZE, HEAD))


def wait(script: Script, file: LayerReply, offset: int, length: int) -> int:
    return script.ask(WAIT, device=file.device, inode=file.inode, offset=offset, length=length)


def span(script: Script, channel: int) -> tuple[int, int]:
    return script.reply(channel).offset, script.reply(channel).length


def test_the_head_is_there() -> None:
    script, file = opened()

    assert span(script, wait(script, file, 0, 4096)) == (0, HEAD)
    assert script.ranges == []


def test_a_sequential_reader_needs_one_more_round_trip() -> None:
    script, file = opened()
    channel = wait(script, file, HEAD, 4096)
    [fetch] = script.ranges
    assert fetch.read == Read(1, HEAD, SIZE - HEAD)
    assert channel not in script.answers

    script.do(script.machine.arrived(fetch.fetch, 65536))
    assert span(script, channel) == (0, HEAD + 65536)
    script.do(script.machine.arrived(fetch.fetch, SIZE - HEAD - 65536))
    script.do(script.machine.fetched(fetch.fetch, failed=False))

    assert script.asked == 2
    assert script.rest == [Finish(1, status(SIZE)), Close(1)]
    assert script.counters == (0, 1, 0)
    assert span(script, wait(script, file, 0, 1 << 40)) == (0, SIZE)
    again = script.get(OPEN, b"/srv/a")
    assert (again.form, again.inode) == (LayerForm.WHOLE, file.inode)


def test_a_failure_leaves_what_is_there() -> None:
    script, file = opened()
    channel = wait(script, file, HEAD, 4096)
    fetch = script.ranges[0].fetch
    script.do(script.machine.arrived(fetch, 100))
    script.do(script.machine.fetched(fetch, failed=True))

    assert script.outcome(channel) == "EIO"
    assert span(script, wait(script, file, HEAD, 100)) == (0, HEAD + 100)
    assert script.outcome(wait(script, file, HEAD, 101)) == "EIO"
    assert script.counters[0] == 1  # holes are never read as zeros
    script.now = 5
    fresh = script.get(OPEN, b"/srv/a", large(SIZE, HEAD))
    assert fresh.inode != file.inode


def test_a_file_that_became_shorter() -> None:
    script, file = opened()
    channel = wait(script, file, HEAD, 4096)

    script.do(script.machine.fetched(script.ranges[0].fetch, failed=False))

    assert script.outcome(channel) == "EIO"


def test_the_agent_is_lost() -> None:
    script, file = opened()
    channel = wait(script, file, HEAD, 4096)

    script.do(script.machine.lost("gone"))

    assert script.outcome(channel) == "EIO"
    assert span(script, wait(script, file, 0, HEAD)) == (0, HEAD)
    assert script.counters[0] == 1


def test_what_is_no_large_file() -> None:
    script = Script()
    file = script.get(OPEN, b"/srv/a", whole(b"abc"))

    assert span(script, wait(script, file, 0, 10)) == (0, 3)
    assert script.outcome(script.ask(WAIT, device=7, inode=7)) == "EIO"


def test_the_agent_goes_while_a_file_is_made() -> None:
    script = Script()
    channel = script.ask(OPEN, b"/srv/a")
    [make] = script.machine.answered(script.asks[0].ask, *large(SIZE, HEAD), 0)
    assert isinstance(make, MakeLarge)
    script.do(script.machine.lost("gone"))
    script.do(script.machine.made(make.stand_in, 2, 50))
    file = script.reply(channel)

    assert script.outcome(wait(script, file, HEAD, 4096)) == "EIO"
    assert span(script, wait(script, file, 0, HEAD)) == (0, HEAD)


def test_nobody_has_it_open() -> None:
    """It is fetched no further, and given up after a while, unless it is opened again."""
    script, file = opened()
    wait(script, file, HEAD, 4096)
    fetch = script.ranges[0].fetch
    script.do(script.machine.unheld(1, 10))
    assert script.rest == []  # someone waits: the event is older than the question
    script.do(script.machine.arrived(fetch, 65536))

    script.do(script.machine.unheld(1, 10))
    assert script.rest == [StopRange(fetch)]
    assert script.waits_for_time()
    script.now = 0.5
    script.get(OPEN, b"/srv/a")
    script.do(script.machine.tick(10 + PARTLY_KEPT))
    assert not script.waits_for_time()
    script.do(script.machine.unheld(1, 20))
    script.do(script.machine.tick(19 + PARTLY_KEPT))
    assert script.counters[0] == 1
    script.do(script.machine.tick(20 + PARTLY_KEPT))

    assert script.rest == [StopRange(fetch), Close(1), Release(1)]
    assert script.counters[0] == 0
    script.do(script.machine.vanished(1))


def test_a_whole_one_is_kept_longer() -> None:
    script = Script()
    file = script.get(OPEN, b"/srv/a", large(HEAD + 1, HEAD))
    wait(script, file, HEAD, 1)
    script.do(script.machine.arrived(script.ranges[0].fetch, 1))
    script.do(script.machine.unheld(1, 0))

    script.do(script.machine.tick(PARTLY_KEPT + 1))
    assert Release(1) not in script.rest
    script.do(script.machine.tick(WHOLLY_KEPT))
    assert script.rest[-1] == Release(1)


def by_request() -> tuple[Script, LayerReply]:
    script = Script()
    return script, script.get(OPEN, b"/srv/p", (Opened(status(0), Form.REQUEST, complete=False), b""))


def test_reading_by_request() -> None:
    script, file = by_request()
    channel = script.ask(READ, device=file.device, inode=file.inode, offset=5, length=1 << 30)
    assert script.asks[0].request == Read(1, 5, PORTION)
    script.tell(b"", b"content")
    refused = script.ask(READ, device=file.device, inode=file.inode, offset=5, length=10)
    script.refuse("ESRCH")

    found = script.answers[channel]

    assert isinstance(found, Answer)
    assert (found.payload, found.reply.length) == (b"content", 7)
    assert script.outcome(refused) == "ESRCH"


def test_reading_what_is_not_read_by_request() -> None:
    script = Script()
    file = script.get(OPEN, b"/srv/a", whole())

    assert script.outcome(script.ask(READ, device=file.device, inode=file.inode, length=1)) == "EBADF"
    assert script.outcome(script.ask(READ, device=7, inode=7, length=1)) == "EIO"


def test_the_targets_file_is_closed_with_the_last_holder() -> None:
    script, file = by_request()
    assert script.rest == [Release(1)]

    script.do(script.machine.vanished(1))

    assert script.rest == [Release(1), Close(1)]
    assert script.counters[0] == 0
    assert script.outcome(script.ask(READ, device=file.device, inode=file.inode, length=1)) == "EIO"
    script.do(script.machine.vanished(1))
    assert script.counters[0] == 0
