"""A session's machine with a scripted agent and a driver that makes what it is asked to make, for tests as scripts."""

from __future__ import annotations

import stat as modes
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from mirrord_cli.session.actions import (
    Action,
    Answer,
    AnswerStream,
    AnswerTable,
    Ask,
    AskRange,
    MakeDirectory,
    MakeLarge,
    MakeWhole,
)
from mirrord_cli.session.cache import Cache
from mirrord_cli.session.facts import Facts
from mirrord_cli.session.leading import Leading
from mirrord_cli.session.machine import Machine
from mirrord_cli.session.rules import Rules
from mirrord_cli.session.settings import FileRules, NetworkRules
from mirrord_cli.session.standins.registry import Budget, Registry
from mirrord_cli.session.table import Devices, Table, plan_table, table_flags
from mirrord_protocol.layer_values import LayerOperation, LayerReply, LayerRequest
from mirrord_protocol.messages import encode_chunk
from mirrord_protocol.values import Answer as AgentAnswer
from mirrord_protocol.values import DirectoryEntry, Failure, FailureKind, Form, Listed, Opened, Stat

MEMORY, TEMPORARY, DIRECTORY = 1, 2, 3
"""Devices of stand-ins."""


def status(size: int = 3, *, kind: int = modes.S_IFREG, version: int = 1, allowed: int = 7, inode: int = 1) -> Stat:
    return Stat(
        device=9, inode=inode, size=size, blocks=8, rdev=0, mode=kind | 0o644, links=1, uid=0, gid=0, block_size=4096,
        allowed=allowed, accessed=0, modified=version, changed=version,
    )  # fmt: skip


FOLDER = status(kind=modes.S_IFDIR)
LINK = status(kind=modes.S_IFLNK)


def whole(content: bytes = b"abc", **options: Any) -> tuple[Opened, bytes]:
    return Opened(status(len(content), **options), Form.WHOLE, complete=True), content


def large(size: int, head: int, **options: Any) -> tuple[Opened, bytes]:
    return Opened(status(size, **options), Form.LARGE, complete=False), bytes(head)


def listed(*names: str, watched: bool = True, **stats: Stat) -> tuple[Listed, bytes]:
    entries = [DirectoryEntry(name.encode(), 1, 8, status()) for name in names]
    entries += [DirectoryEntry(name.encode(), 1, 8, stat) for name, stat in stats.items()]
    return Listed(FOLDER, watched), encode_chunk(entries)


@dataclass
class Script:
    """A machine, and what it wanted so far."""

    files: FileRules = field(
        default_factory=lambda: FileRules(home=b"/h", working_directory=b"/w", temporary=b"/t", executable=b"/bin/x")
    )
    network_rules: NetworkRules = field(default_factory=NetworkRules)
    time_to_live: float = 1.0
    budget: Budget = field(default_factory=lambda: Budget(100))
    no_room: str = ""
    """The errno with which nothing can be made."""
    full: int = 0
    """So many of the next makings find the disk full."""
    now: float = 0.0

    def __post_init__(self) -> None:
        plan = plan_table([], [], slots=1024, room=1 << 16)
        self.memory = bytearray(plan.size)
        self.table = Table(memoryview(self.memory), plan, Devices(1, 2, 3), table_flags(self.files))
        self.registry = Registry(self.budget)
        facts = Facts(Cache(self.time_to_live))
        self.machine = Machine(
            Rules(self.files), Leading(self.files), facts, self.registry, self.table, self.network_rules
        )
        self.answers: dict[int, Answer | AnswerStream | AnswerTable] = {}
        self.asks: list[Ask] = []
        """Not answered yet."""
        self.looks: list[Ask] = []
        """Listings that were asked for unasked; not answered."""
        self.asked = 0
        """Round trips that programs waited for, of all kinds."""
        self.ranges: list[AskRange] = []
        self.made: list[MakeWhole | MakeLarge | MakeDirectory] = []
        self.rest: list[Action] = []
        """All other actions."""
        self._channels = count(1)
        self._inodes = count(100)

    # ------------------------------------------------------------------------------------------ events

    def do(self, actions: list[Action]) -> None:
        queue = list(actions)
        while queue:
            action = queue.pop(0)
            match action:
                case Answer() | AnswerStream() | AnswerTable():
                    assert action.channel not in self.answers, "answered twice"
                    self.answers[action.channel] = action
                case Ask(most=int()):
                    self.looks.append(action)
                case Ask():
                    self.asked += 1
                    self.asks.append(action)
                case AskRange():
                    self.asked += 1
                    self.ranges.append(action)
                case MakeWhole() | MakeLarge() | MakeDirectory():
                    self.made.append(action)
                    device = {MakeWhole: MEMORY, MakeLarge: TEMPORARY, MakeDirectory: DIRECTORY}[type(action)]
                    if self.no_room or self.full:
                        self.full = max(0, self.full - 1)
                        queue += self.machine.not_made(action.stand_in, self.no_room or "ENOSPC")
                    else:
                        queue += self.machine.made(action.stand_in, device, next(self._inodes))
                case _:
                    self.rest.append(action)

    def ask(self, operation: LayerOperation, path: bytes = b"", **rest: Any) -> int:
        """Ask as a layer does; the channel's number."""
        channel = next(self._channels)
        request = LayerRequest(operation, payload=len(path), **rest)
        self.do(self.machine.asked(channel, request, path, self.now))
        return channel

    def tell(self, answer: AgentAnswer, data: bytes = b"", index: int = 0) -> None:
        """Answer one of the questions that wait for the agent."""
        self.do(self.machine.answered(self.asks.pop(index).ask, answer, data, self.now))

    def refuse(self, errno: str | None, index: int = 0, kind: FailureKind = FailureKind.SYSTEM) -> None:
        self.do(self.machine.refused(self.asks.pop(index).ask, Failure(kind, errno), self.now))

    # ------------------------------------------------------------------------------------------ looking

    def reply(self, channel: int) -> LayerReply:
        """The answer that a channel got."""
        return self.answers[channel].reply

    def outcome(self, channel: int) -> str | None:
        """An errno, or None for success."""
        return self.reply(channel).errno

    def payload(self, channel: int) -> bytes:
        """What came with an answer."""
        answer = self.answers[channel]
        assert isinstance(answer, Answer)
        return answer.payload

    def waits_for_time(self) -> bool:
        return self.machine.waits_for_time

    def get(self, operation: LayerOperation, path: bytes, *told: tuple[AgentAnswer, bytes], **rest: Any) -> LayerReply:
        """Ask, let the agent answer so often, and return the answer."""
        channel = self.ask(operation, path, **rest)
        for answer, data in told:
            self.tell(answer, data)
        return self.reply(channel)

    @property
    def counters(self) -> tuple[int, int, int]:
        """The table's: watched, files, directories."""
        words = memoryview(self.memory).cast("I")
        return words[11], words[12], words[13]


__all__ = ["FOLDER", "LINK", "Script", "large", "listed", "replace", "status", "whole"]
