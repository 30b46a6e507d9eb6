"""From a path to a descriptor: what `open`, `list` and `enter` hand out, made or found again. No I/O.

An answer goes through these states: known (remembered facts and a kept stand-in: answered at once), asked (of the agent),
made (the stand-in, by the driver), answered. Each may fail instead, with an errno.
"""

from __future__ import annotations

import os
import stat as modes
from dataclasses import dataclass
from itertools import count
from typing import Final

from mirrord_cli.session.actions import (
    Action,
    Answer,
    AnswerStream,
    Close,
    MakeDirectory,
    MakeLarge,
    MakeWhole,
    Release,
)
from mirrord_cli.session.facts import Facts
from mirrord_cli.session.filling import Filling
from mirrord_cli.session.looking import Looking
from mirrord_cli.session.questions import Outcome, Questions, Refused, Told
from mirrord_cli.session.requests import open_flags
from mirrord_cli.session.standins.registry import Registry, StandIn
from mirrord_cli.session.table import Table
from mirrord_protocol.layer_values import LayerForm, LayerOutcome, LayerReply
from mirrord_protocol.values import Form, Open, Opened, OpenFlag, Stat

CONTENT: Final = 1 << 20
"""A file of at most so many bytes comes whole with its `open`."""
HEAD: Final = 128 << 10
"""So many bytes of a larger one do."""
BLOCK: Final = 512
"""Bytes of a block of a stat."""
READABLE, ENTERABLE = 4, 1


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A question that is answered with a stand-in's descriptor."""

    channel: int
    stat: Stat
    listing: bytes | None = None


@dataclass(frozen=True, slots=True)
class _Making:
    """A stand-in that the driver makes just now."""

    action: MakeWhole | MakeLarge | MakeDirectory
    made: StandIn
    key: int | bytes | None
    """By what others may share it: the question whose answer it is, or a directory's path."""
    waiting: list[_Waiting]


class Opening:
    """Hands out descriptors for remote paths."""

    def __init__(
        self,
        actions: list[Action],
        questions: Questions,
        facts: Facts,
        looking: Looking,
        registry: Registry,
        table: Table,
    ) -> None:
        self._actions = actions
        self._questions = questions
        self._facts = facts
        self._looking = looking
        self._registry = registry
        self._table = table
        self._numbers = count(1)
        self._fetches = count(1)
        self._making: dict[int, _Making] = {}
        self._shared: dict[int | bytes, _Making] = {}
        """The same, by key."""

    # ------------------------------------------------------------------------------------------ open

    def open(self, channel: int, path: bytes, flags: int) -> None:
        """Answer an `open` for reading."""
        if flags & os.O_PATH:
            self._open_handle(channel, path, flags)
            return
        follow = not flags & os.O_NOFOLLOW
        known = self._facts.stat(path, follow=follow)
        if isinstance(known, str):
            self._fail(channel, known)
        elif known is None or not self._open_known(channel, path, known, flags):
            self._ask(channel, path, open_flags(flags))

    def _open_known(self, channel: int, path: bytes, known: Stat, flags: int) -> bool:
        """Answer from what is remembered, if that is enough."""
        if modes.S_ISDIR(known.mode):
            if known.allowed & READABLE:
                self.hand_out_directory(channel, path, known)
            else:
                self._fail(channel, "EACCES")
            return True
        if flags & os.O_DIRECTORY:
            self._fail(channel, "ENOTDIR")
            return True
        if modes.S_ISLNK(known.mode):
            self._fail(channel, "ELOOP")
            return True
        kept = self._registry.file(path, known)
        if kept is None or not known.allowed & READABLE:
            return False
        self._hand_out(kept, _Waiting(channel, known))
        return True

    def _open_handle(self, channel: int, path: bytes, flags: int) -> None:
        """Answer an `open` that wants no more than a name for the file (O_PATH).

        A program may turn it into one that reads, through /proc, so that a file which may be read comes with content.
        """

        def then(outcome: Outcome) -> None:
            if isinstance(outcome, Refused):
                self._fail(channel, outcome.errno)
                return
            opened = outcome.answer
            assert isinstance(opened, Opened)
            status = opened.stat
            if modes.S_ISDIR(status.mode):
                self.hand_out_directory(channel, path, status)
            elif modes.S_ISREG(status.mode) and status.allowed & READABLE:
                self._ask(channel, path, open_flags(flags & ~os.O_PATH))
            else:
                made = StandIn(next(self._numbers), LayerForm.WHOLE, path, status, kept=False)
                self._make(MakeWhole(made.number, b"", status), made, _Waiting(channel, status))

        self._questions.ask(Open(path, open_flags(flags), 0, 0), then)

    def _ask(self, channel: int, path: bytes, flags: OpenFlag) -> None:
        follow = not flags & OpenFlag.NO_FOLLOW

        def then(outcome: Outcome) -> None:
            if isinstance(outcome, Refused):
                if outcome.errno == "ENOENT":  # other errnos may be about opening, not about the path
                    self._facts.learn_stat(path, outcome.errno, outcome.mark, follow=follow)
                self._fail(channel, outcome.errno)
                return
            opened = outcome.answer
            assert isinstance(opened, Opened)
            if opened.form in {Form.STREAM, Form.REQUEST} and not outcome.first:
                self._ask(channel, path, flags)
                return
            self._facts.learn_stat(path, opened.stat, outcome.mark, follow=follow)
            self._take(channel, path, outcome, opened)

        if self._questions.ask(Open(path, flags, CONTENT, HEAD), then):
            self._looking.missed(path)

    def _take(self, channel: int, path: bytes, told: Told, opened: Opened) -> None:
        """Hand out what the agent opened."""
        status, waiting = opened.stat, _Waiting(channel, opened.stat)
        match opened.form:
            case Form.DIRECTORY:
                self.hand_out_directory(channel, path, status)
            case Form.STREAM:
                reply = LayerReply(LayerOutcome.DONE, form=LayerForm.STREAM, stat=status)
                self._actions.append(AnswerStream(channel, reply, told.ask))
            case Form.REQUEST:
                made = StandIn(next(self._numbers), LayerForm.REQUEST, path, status, told.ask, watched=True, kept=False)
                self._make(MakeWhole(made.number, b"", status), made, waiting)
            case _ if making := self._shared.get(told.ask):
                making.waiting.append(waiting)
            case Form.LARGE if kept := self._find(path, status, told.ask):
                self._hand_out(kept, waiting)
            case Form.LARGE:
                made = StandIn(next(self._numbers), LayerForm.FILLING, path, status, told.ask, watched=True)
                made.filling = Filling(status.size, len(told.data), self._fetches)
                self._make(
                    MakeLarge(made.number, status.size, told.data, min(status.size, status.blocks * BLOCK)),
                    made,
                    waiting,
                    told.ask,
                )
            case _:
                made = StandIn(next(self._numbers), LayerForm.WHOLE, path, status)
                self._make(MakeWhole(made.number, told.data, status), made, waiting, told.ask)

    def _find(self, path: bytes, status: Stat, ask: int) -> StandIn | None:
        """Return a kept stand-in of what was opened; the agent's handle isn't needed then."""
        kept = self._registry.file(path, status)
        if kept and kept.ask != ask:
            self._actions.append(Close(ask))
        return kept

    def hand_out_directory(self, channel: int, path: bytes, status: Stat, listing: bytes | None = None) -> None:
        """Answer with a directory's descriptor, behind that of its listing if there is one."""
        path = path.rstrip(b"/") or path
        waiting = _Waiting(channel, status, listing)
        if kept := self._registry.directory(path):
            self._hand_out(kept, waiting)
        elif making := self._shared.get(path):
            making.waiting.append(waiting)
        else:
            made = StandIn(next(self._numbers), LayerForm.DIRECTORY, path, status)
            self._make(MakeDirectory(made.number), made, waiting, path)

    # ------------------------------------------------------------------------------------------ made

    def _make(
        self,
        action: MakeWhole | MakeLarge | MakeDirectory,
        made: StandIn,
        waiting: _Waiting,
        key: int | bytes | None = None,
    ) -> None:
        making = self._making[made.number] = _Making(action, made, key, [waiting])
        if key is not None:
            self._shared[key] = making
        self._actions.append(action)

    def _end(self, number: int) -> _Making:
        making = self._making.pop(number)
        if making.key is not None:
            del self._shared[making.key]
        return making

    def made(self, number: int, device: int, inode: int) -> None:
        """Note that the driver made a stand-in."""
        making = self._end(number)
        made = making.made
        if made.watched:
            self._table.count_watched(1)
        if older := self._registry.add(made, (device, inode)):
            self._actions.append(Release(older.number))
        for waiting in making.waiting:
            self._hand_out(made, waiting)
        if not made.kept:
            self._registry.let_go(made)
            self._actions.append(Release(number))
        self._actions += [Release(each.number) for each in self._registry.excess()]

    def make_again(self, number: int) -> None:
        """Have the driver try once more."""
        self._actions.append(self._making[number].action)

    def not_made(self, number: int, errno: str) -> None:
        """Note that the driver couldn't make a stand-in."""
        making = self._end(number)
        if making.made.ask is not None:
            self._actions.append(Close(making.made.ask))
        for waiting in making.waiting:
            self._fail(waiting.channel, errno)

    def _hand_out(self, made: StandIn, waiting: _Waiting) -> None:
        if made.form is LayerForm.DIRECTORY:
            self._table.count_directory()
        else:
            self._table.count_file()
        made.stat = waiting.stat
        made.unheld_since = None
        device, inode = made.identity
        reply = LayerReply(LayerOutcome.DONE, form=made.form, device=device, inode=inode, stat=made.stat)
        self._actions.append(Answer(waiting.channel, reply, b"", waiting.listing, made.number))

    def _fail(self, channel: int, errno: str) -> None:
        self._actions.append(Answer(channel, LayerReply(LayerOutcome.FAILED, errno=errno)))
