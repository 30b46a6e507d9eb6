"""Content that isn't there when a program gets its descriptor: large files being filled, files read by request. No I/O.

A large file is `filling` until all is there, then `whole`; in between, nobody may have it open any more (`unheld`): then
nothing more is fetched, and after a while it is given up. If the agent goes, or the file has become shorter, it fails:
what is there can be read, all else is EIO, and it counts as watched as long as anyone may hold it, so that holes are
never read as zeros. A file read by request is closed on the target when nobody holds it.
"""

from __future__ import annotations

from typing import Final

from mirrord_cli.session.actions import Action, Answer, AskRange, Close, Finish, Release, StopRange
from mirrord_cli.session.filling import Arrived, Complete, Effect, Fetch, Missing, Stop
from mirrord_cli.session.questions import Outcome, Questions, Refused
from mirrord_cli.session.standins.registry import Registry, StandIn
from mirrord_cli.session.table import Table
from mirrord_protocol.layer_values import LayerForm, LayerOutcome, LayerReply, LayerRequest
from mirrord_protocol.values import Read

PORTION: Final = 64 << 10
"""The most that one `read` brings."""
PARTLY_KEPT: Final = 5.0
"""Seconds for which a large file is kept that nobody has open."""
WHOLLY_KEPT: Final = 60.0
"""The same, if all of it is there."""


class Reading:
    """Answers `wait` and `read`, and lets go of content."""

    def __init__(self, actions: list[Action], questions: Questions, registry: Registry, table: Table) -> None:
        self._actions = actions
        self._questions = questions
        self._registry = registry
        self._table = table
        self._fetches: dict[int, StandIn] = {}
        self._unheld: dict[int, StandIn] = {}

    # ------------------------------------------------------------------------------------------ questions

    def wait(self, channel: int, request: LayerRequest) -> None:
        """Answer when a range of a large file is there."""
        made = self._registry.identify(request.device, request.inode)
        if made is None or made.filling is None:
            size = made.stat.size if made else 0
            self._answer(channel, LayerReply(LayerOutcome.DONE, length=size) if made else _failed("EIO"))
            return
        self._carry_out(made, made.filling.wait(channel, request.offset, request.offset + request.length))

    def read(self, channel: int, request: LayerRequest) -> None:
        """Answer with bytes of a file that is read by request."""
        made = self._registry.identify(request.device, request.inode)
        if made is None or made.ask is None or made.form is not LayerForm.REQUEST:
            self._answer(channel, _failed("EBADF" if made else "EIO"))
            return

        def then(outcome: Outcome) -> None:
            if isinstance(outcome, Refused):
                self._answer(channel, _failed(outcome.errno))
                return
            size = len(outcome.data)
            self._answer(channel, LayerReply(LayerOutcome.DONE, payload=size, length=size), outcome.data)

        self._questions.ask(Read(made.ask, request.offset, min(request.length, PORTION)), then)

    # ------------------------------------------------------------------------------------------ events

    def arrived(self, fetch: int, size: int) -> None:
        """Note that the next bytes of a fetch are in the temporary file."""
        if (made := self._fetches.get(fetch)) and made.filling:
            self._carry_out(made, made.filling.arrived(fetch, size))

    def fetched(self, fetch: int, *, failed: bool) -> None:
        """Note that a fetch is over."""
        made = self._fetches.pop(fetch, None)
        if made and made.filling:
            self._carry_out(made, made.filling.fail() if failed else made.filling.ended(fetch))

    def unheld(self, number: int, now: float) -> None:
        """Note that no program has a large file open just now."""
        made = self._registry.get(number)
        if made is None or made.filling is None or not made.held or made.filling.waited_for:
            return
        made.unheld_since = now
        self._unheld[number] = made
        self._carry_out(made, made.filling.stop())

    def vanished(self, number: int) -> None:
        """Note that nobody holds a stand-in any more."""
        made = self._registry.get(number)
        if made is None:
            return
        self._give_up(made)
        self._registry.forget(made)

    def lost(self) -> None:
        """Note that the agent is gone."""
        for made in self._registry.large():
            if made.filling and made.form is LayerForm.FILLING:
                self._carry_out(made, made.filling.fail())

    @property
    def waits_for_time(self) -> bool:
        """Whether `tick` has anything to do later."""
        return bool(self._unheld)

    def tick(self, now: float) -> None:
        """Give up what nobody had open for a while."""
        for made in list(self._unheld.values()):
            since = made.unheld_since
            kept = WHOLLY_KEPT if made.form is LayerForm.WHOLE else PARTLY_KEPT
            if since is None or now - since >= kept:
                self._unkeep(made)

    def make_room(self) -> bool:
        """Give up all that nobody has open, since the disk is full; whether there was anything."""
        given = [self._unkeep(made) for made in list(self._unheld.values())]
        return any(given)

    def _unkeep(self, made: StandIn) -> bool:
        """Give up what nobody has open, unless somebody opened it again meanwhile."""
        del self._unheld[made.number]
        if made.unheld_since is None or not made.held:
            return False
        self._give_up(made)
        self._registry.forget(made)
        self._actions.append(Release(made.number))
        return True

    # ------------------------------------------------------------------------------------------ effects

    def _give_up(self, made: StandIn) -> None:
        self._unheld.pop(made.number, None)
        if made.filling:
            self._carry_out(made, made.filling.stop())
        self._end_watch(made)

    def _end_watch(self, made: StandIn) -> None:
        """Close the target's file, and count the stand-in as watched no more."""
        if made.ask is not None:
            self._actions.append(Close(made.ask))
            made.ask = None
        if made.watched:
            made.watched = False
            self._table.count_watched(-1)

    def _carry_out(self, made: StandIn, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Fetch(fetch, start, end):
                    assert made.ask is not None
                    self._fetches[fetch] = made
                    self._actions.append(AskRange(fetch, made.number, Read(made.ask, start, end - start)))
                case Stop(fetch):
                    self._fetches.pop(fetch, None)
                    self._actions.append(StopRange(fetch))
                case Arrived(waiter, start, end):
                    self._answer(waiter, LayerReply(LayerOutcome.DONE, offset=start, length=end - start))
                case Missing(waiter):
                    self._answer(waiter, _failed("EIO"))
                case Complete():
                    made.form = LayerForm.WHOLE
                    self._actions.append(Finish(made.number, made.stat))
                    self._end_watch(made)

    def _answer(self, channel: int, reply: LayerReply, payload: bytes = b"") -> None:
        self._actions.append(Answer(channel, reply, payload))


def _failed(errno: str) -> LayerReply:
    return LayerReply(LayerOutcome.FAILED, errno=errno)
