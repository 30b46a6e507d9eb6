"""What a question of a layer leads to: events in, actions out. No I/O; server.py carries the actions out.

A question goes through these states, and ends in exactly one answer for its channel:

| state | leaves it by | to |
|---|---|---|
| decided (whose is the path?) | local, not found | answered |
| | remote | known |
| known (is it remembered?) | yes, and nothing has to be made | answered |
| | yes | made |
| | no | asked |
| asked (of the agent; equal questions share it) | `answered`, `refused`, `lost` | answered, or made |
| made (a stand-in, by the driver) | `made`, `not_made` | answered |
| waiting (for a range of a large file) | `arrived`, `fetched`, `lost` | answered |

Files that are open are followed in reading.py and filling.py, what becomes a descriptor in opening.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, ParamSpec

from mirrord_cli.session.actions import Action, Answer, AnswerTable
from mirrord_cli.session.cache import Listing
from mirrord_cli.session.facts import Facts
from mirrord_cli.session.leading import Leading
from mirrord_cli.session.looking import Looking
from mirrord_cli.session.network.machine import Network
from mirrord_cli.session.network.names import Names
from mirrord_cli.session.network.rules import NetworkDecisions
from mirrord_cli.session.notices import Notices
from mirrord_cli.session.opening import ENTERABLE, Opening
from mirrord_cli.session.paths import clean, is_clean, join
from mirrord_cli.session.questions import TOO_LONG, Outcome, Questions, Refused, Told
from mirrord_cli.session.reading import Reading
from mirrord_cli.session.requests import AT_SYMLINK_NOFOLLOW, is_changing, plain_path
from mirrord_cli.session.rules import Rules, Side
from mirrord_cli.session.settings import NetworkRules
from mirrord_cli.session.standins.registry import Registry, StandIn
from mirrord_cli.session.table import SlotFlag, Table
from mirrord_protocol.layer_values import LayerForm, LayerOperation, LayerOutcome, LayerReply, LayerRequest
from mirrord_protocol.messages import encode_file_system
from mirrord_protocol.values import Answer as AgentAnswer
from mirrord_protocol.values import Failure, FileSystem, FileSystemOf, ListDirectory, ReadLink, RealPath, Stat, StatPath

DONE: Final = LayerReply(LayerOutcome.DONE)
LOCAL: Final = LayerReply(LayerOutcome.LOCAL)
STALE: Final = "ESTALE"
NO_ROOM: Final = frozenset({"ENOSPC", "EDQUOT"})
NETWORK: Final = NetworkRules()
Handler = Callable[[int, LayerRequest, bytes], None]
P = ParamSpec("P")


class Machine:
    """Answers layers. Each event returns what is to be done, in order."""

    def __init__(
        self,
        rules: Rules,
        leading: Leading,
        facts: Facts,
        registry: Registry,
        table: Table,
        network: NetworkRules = NETWORK,
    ) -> None:
        self._rules = rules
        self._leading = leading
        self._facts = facts
        self._registry = registry
        self._table = table
        self._actions: list[Action] = []
        self._questions = Questions(self._actions, facts.begin)
        self._looking = Looking(self._questions, facts)
        self._opening = Opening(self._actions, self._questions, facts, self._looking, registry, table)
        self._reading = Reading(self._actions, self._questions, registry, table)
        self._notices = Notices()
        decisions = NetworkDecisions(network)
        self.names = Names(self._actions, self._questions, decisions, lambda: facts.now)
        self.network = Network(self._actions, decisions, self.names, table)
        self._network_handlers = self.names.handlers() | self.network.handlers()
        self._handlers: dict[LayerOperation, Handler] = {
            LayerOperation.OPEN: lambda channel, request, path: self._opening.open(channel, path, request.flags),
            LayerOperation.STAT: self._stat,
            LayerOperation.ACCESS: self._access,
            LayerOperation.READLINK: lambda channel, _, path: self._readlink(channel, path),
            LayerOperation.REALPATH: lambda channel, _, path: self._realpath(channel, path),
            LayerOperation.LIST: lambda channel, _, path: self._list(channel, path),
            LayerOperation.ENTER: lambda channel, _, path: self._enter(channel, path),
            LayerOperation.FILE_SYSTEM: lambda channel, _, path: self._file_system(channel, path),
        }

    def _take_actions(self) -> list[Action]:
        self._facts.tidy(self._actions)
        actions = [self._leading.correct(action) for action in self._actions]
        self._actions.clear()
        return actions

    # ------------------------------------------------------------------------------------------ events

    def asked(self, channel: int, request: LayerRequest, payload: bytes, now: float) -> list[Action]:
        """Take a layer's question."""
        self._facts.now = now
        match request.operation:
            case LayerOperation.IDENTIFY:
                self._identify(channel, request)
            case LayerOperation.WAIT:
                self._reading.wait(channel, request)
            case LayerOperation.READ:
                self._reading.read(channel, request)
            case LayerOperation.NOTICE:
                self._answer_bytes(channel, self._notices.text(request.flags, payload))
            case LayerOperation.TABLE:
                self._actions.append(AnswerTable(channel, DONE))
            case operation if handler := self._network_handlers.get(operation):
                handler(channel, request, payload)
            case _ if b"\0" in payload:
                self._fail(channel, "EINVAL")
            case _:
                self._about_path(channel, request, payload)
        return self._take_actions()

    def answered(self, ask: int, answer: AgentAnswer, data: bytes, now: float) -> list[Action]:
        """Take the agent's good answer."""
        self._facts.now = now
        self._questions.answered(ask, answer, data)
        return self._take_actions()

    def refused(self, ask: int, failure: Failure, now: float) -> list[Action]:
        """Take the agent's bad answer."""
        self._facts.now = now
        self._questions.refused(ask, failure)
        return self._take_actions()

    def changed(self, ask: int) -> list[Action]:
        """Note that something in a watched directory has changed."""
        self._facts.changed(ask)
        return self._take_actions()

    def lost(self, reason: str) -> list[Action]:
        """Note that the agent is gone: whatever would have to be asked fails from now on."""
        self._notices.lost(reason)
        self._facts.lose()
        self._questions.lose()
        self._reading.lost()
        self.network.lost()
        return self._take_actions()

    def noted(self, event: Callable[P, None], *args: P.args, **options: P.kwargs) -> list[Action]:
        """Tell the parts of `network` of an event: call one of their methods."""
        event(*args, **options)
        return self._take_actions()

    def made(self, stand_in: int, device: int, inode: int) -> list[Action]:
        """Note that a stand-in was made."""
        self._opening.made(stand_in, device, inode)
        if self.is_lost:  # the agent went meanwhile: nothing fills it any more
            self._reading.lost()
        return self._take_actions()

    def not_made(self, stand_in: int, errno: str) -> list[Action]:
        """Note that a stand-in couldn't be made."""
        if errno in NO_ROOM and self._reading.make_room():
            self._opening.make_again(stand_in)
        else:
            self._opening.not_made(stand_in, errno)
        return self._take_actions()

    def arrived(self, fetch: int, size: int) -> list[Action]:
        """Note that the next bytes of a fetch are in their file."""
        self._reading.arrived(fetch, size)
        return self._take_actions()

    def fetched(self, fetch: int, *, failed: bool) -> list[Action]:
        """Note that a fetch has ended."""
        self._reading.fetched(fetch, failed=failed)
        return self._take_actions()

    def unheld(self, stand_in: int, now: float) -> list[Action]:
        """Note that no program has a large file open just now."""
        self._reading.unheld(stand_in, now)
        return self._take_actions()

    def vanished(self, stand_in: int) -> list[Action]:
        """Note that nobody holds a released stand-in any more."""
        self._reading.vanished(stand_in)
        return self._take_actions()

    @property
    def is_lost(self) -> bool:
        """Whether the agent is gone."""
        return self._questions.lost

    @property
    def waits_for_time(self) -> bool:
        """Whether `tick` should be called after a while."""
        return self._reading.waits_for_time

    def tick(self, now: float) -> list[Action]:
        """Give up what was kept long enough."""
        self._reading.tick(now)
        return self._take_actions()

    # ------------------------------------------------------------------------------------------ whose is it

    def _about_path(self, channel: int, request: LayerRequest, payload: bytes) -> None:
        base: StandIn | None = None
        if request.device or request.inode:
            base = self._registry.identify(request.device, request.inode)
            if base is None:
                self._fail(channel, STALE)
                return
            if not payload:
                self._handle(channel, request, base.path)
                return
        relative = not payload.startswith(b"/")
        if relative and base is None:
            found = self._rules.decide_relative(payload) is Side.NOT_FOUND
            self._answer(channel, LayerReply(LayerOutcome.FAILED, errno="ENOENT") if found else LOCAL)
            return
        asked = join(base.path, payload) if base and relative else payload
        cleaned = clean(asked)
        verdict = self._rules.decide(cleaned, is_changing(request))
        match verdict.side:
            case Side.NOT_FOUND:
                self._fail(channel, "ENOENT")
            case Side.LOCAL:
                moved = verdict.path if verdict.mapped or relative or self._rules.leaves_remote(asked) else b""
                if not moved and is_clean(payload):
                    self._publish(payload)
                self._leading.met(cleaned)
                self._answer(channel, LayerReply(LayerOutcome.LOCAL, payload=len(moved)), moved)
            case Side.REMOTE:
                self._leading.asked(channel, verdict.path, verdict.path if verdict.mapped or relative else b"")
                self._handle(channel, request, verdict.path if verdict.mapped else plain_path(asked, cleaned))

    def _publish(self, path: bytes) -> None:
        """Let layers decide this path alone from now on."""
        flags = SlotFlag(0)
        for changing, flag in ((False, SlotFlag.READ), (True, SlotFlag.CHANGE)):
            if self._rules.decide(path, changing).side is Side.LOCAL:
                flags |= flag
        self._table.add_slot(path, flags)

    def _handle(self, channel: int, request: LayerRequest, path: bytes) -> None:
        handler = self._handlers.get(request.operation)
        if handler:
            handler(channel, request, path)
        else:  # a change stays on this machine; `place` is asked where
            assert request.operation is LayerOperation.PLACE
            self._fail(channel, "EROFS")

    # ------------------------------------------------------------------------------------------ answers

    def _answer(self, channel: int, reply: LayerReply, payload: bytes = b"") -> None:
        self._actions.append(Answer(channel, reply, payload))

    def _answer_bytes(self, channel: int, payload: bytes) -> None:
        self._answer(channel, LayerReply(LayerOutcome.DONE, payload=len(payload)), payload)

    def _fail(self, channel: int, errno: str) -> None:
        self._answer(channel, LayerReply(LayerOutcome.FAILED, errno=errno))

    def _with_stat(
        self, channel: int, path: bytes, then: Callable[[Stat], None], *, follow: bool = True
    ) -> None:  # fmt: skip
        """Call `then` with a path's stat, remembered or asked for; fail if there is none."""
        known = self._facts.stat(path, follow=follow)
        if known is not None:
            self._go_on(channel, known, then)
            return

        def told(outcome: Outcome) -> None:
            found = outcome.errno if isinstance(outcome, Refused) else outcome.answer
            assert isinstance(found, str | Stat)
            self._facts.learn_stat(path, found, outcome.mark, follow=follow)
            self._go_on(channel, found, then)

        if self._questions.ask(StatPath(path, follow), told):
            self._looking.missed(path)

    def _go_on(self, channel: int, found: str | Stat, then: Callable[[Stat], None]) -> None:
        if isinstance(found, str):
            self._fail(channel, found)
        else:
            then(found)

    # ------------------------------------------------------------------------------------------ operations

    def _stat(self, channel: int, request: LayerRequest, path: bytes) -> None:
        follow = not request.flags & AT_SYMLINK_NOFOLLOW
        self._with_stat(
            channel, path, lambda stat: self._answer(channel, LayerReply(LayerOutcome.DONE, stat=stat)), follow=follow
        )

    def _access(self, channel: int, request: LayerRequest, path: bytes) -> None:
        def then(stat: Stat) -> None:
            if request.mode & ~stat.allowed & 7:
                self._fail(channel, "EACCES")
            else:
                self._answer(channel, DONE)

        self._with_stat(channel, path, then, follow=not request.flags & AT_SYMLINK_NOFOLLOW)

    def _identify(self, channel: int, request: LayerRequest) -> None:
        made = self._registry.identify(request.device, request.inode)
        if made is None:
            self._answer(channel, DONE)
            return

        def reply(stat: Stat) -> None:
            device, inode = made.identity
            self._answer(channel, LayerReply(LayerOutcome.DONE, form=made.form, device=device, inode=inode, stat=stat))

        if made.form is not LayerForm.DIRECTORY:
            reply(made.stat)
            return

        # Of a directory the present state is wanted, and of one that was removed meanwhile what it was.
        known = self._facts.stat(made.path, follow=True)
        if known is None:
            self._questions.ask(
                StatPath(made.path),
                lambda outcome: reply(outcome.answer if isinstance(outcome, Told) and isinstance(outcome.answer, Stat)
                                      else made.stat),
            )  # fmt: skip
        else:
            reply(known if isinstance(known, Stat) else made.stat)

    def _readlink(self, channel: int, path: bytes) -> None:
        def told(outcome: Outcome) -> None:
            found = outcome.errno if isinstance(outcome, Refused) else outcome.answer
            assert isinstance(found, str | bytes)
            self._facts.learn_readlink(path, found, outcome.mark)
            self._answer_path(channel, found)

        if (known := self._facts.readlink(path)) is not None:
            self._answer_path(channel, known)
        else:
            self._questions.ask(ReadLink(path), told)

    def _realpath(self, channel: int, path: bytes) -> None:
        def told(outcome: Outcome) -> None:
            found = outcome.errno if isinstance(outcome, Refused) else outcome.answer
            assert isinstance(found, str | bytes)
            self._facts.learn_realpath(path, found, outcome.mark)
            self._answer_path(channel, found)

        if (known := self._facts.realpath(path)) is not None:
            self._answer_path(channel, known)
        else:
            self._questions.ask(RealPath(path), told)

    def _answer_path(self, channel: int, found: str | bytes) -> None:
        if isinstance(found, str):
            self._fail(channel, found)
        else:
            self._answer_bytes(channel, found)

    def _list(self, channel: int, path: bytes) -> None:
        def answer(found: Listing | str) -> None:
            if isinstance(found, str):
                self._fail(channel, found)
            else:
                self._opening.hand_out_directory(channel, path, found.stat, found.data)

        request = ListDirectory(path, watch=self._facts.keeps)

        def told(outcome: Outcome) -> None:
            if isinstance(outcome, Refused) and outcome.failure is TOO_LONG:  # for looking.py, who asked
                self._questions.ask(request, told)
            else:
                answer(self._facts.learn_listing(path, outcome))

        if (known := self._facts.listing(path)) is not None:
            answer(known)
        else:
            self._questions.ask(request, told)

    def _enter(self, channel: int, path: bytes) -> None:
        def then(stat: Stat) -> None:
            if stat.mode & 0o170000 != 0o040000:
                self._fail(channel, "ENOTDIR")
            elif not stat.allowed & ENTERABLE:
                self._fail(channel, "EACCES")
            else:
                self._opening.hand_out_directory(channel, path, stat)

        self._with_stat(channel, path, then)

    def _file_system(self, channel: int, path: bytes) -> None:
        def told(outcome: Outcome) -> None:
            if isinstance(outcome, Refused):
                self._fail(channel, outcome.errno)
                return
            assert isinstance(outcome.answer, FileSystem)
            self._answer_bytes(channel, encode_file_system(outcome.answer))

        self._questions.ask(FileSystemOf(path), told)
