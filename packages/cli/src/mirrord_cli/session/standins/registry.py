"""Which stand-ins there are, what is known of them, and which the session keeps a descriptor of. No I/O.

A stand-in is known as long as anyone may hold it: layers ask by the kernel's identity what it is. The session's own
descriptors serve later opens of the same path, within budgets: what was used longest ago is released first. The kernel
tells when a released one has no holder left (../holders/driver.py), and only then is it forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from mirrord_cli.session.filling import Filling
from mirrord_protocol.layer_values import LayerForm
from mirrord_protocol.values import Stat

Identity = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be kept for later opens."""

    descriptors: int
    memory: int = 64 << 20
    """Bytes of small files."""
    disk: int = 1 << 30
    """Bytes of large files."""


@dataclass(slots=True, eq=False)
class StandIn:
    """One object that programs have in place of a remote one."""

    number: int
    form: LayerForm
    path: bytes
    """What it stands for, as the target is asked about it."""
    stat: Stat
    ask: int | None = None
    """The `Ask` whose handle is its content: of large files and those read by request."""
    filling: Filling | None = None
    identity: Identity = (0, 0)
    watched: bool = False
    """Whether the table counts it as watched."""
    held: bool = False
    """Whether the session has a descriptor."""
    kept: bool = True
    """Whether later opens of the path may get it too."""
    unheld_since: float | None = None
    """When the last program closed it, of a large file."""

    @property
    def memory(self) -> int:
        return self.stat.size if self.form is LayerForm.WHOLE and self.filling is None else 0

    @property
    def disk(self) -> int:
        return self.filling.size if self.filling else 0


def same_content(one: Stat, other: Stat) -> bool:
    """Whether two stats of a path are of the same content, as far as a stat can tell."""
    return (one.inode, one.device, one.size, one.modified, one.changed) == (
        other.inode, other.device, other.size, other.modified, other.changed,
    )  # fmt: skip


class Registry:
    """All stand-ins that anyone may hold."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._numbers: dict[int, StandIn] = {}
        self._identities: dict[Identity, StandIn] = {}
        self._files: dict[bytes, StandIn] = {}
        self._directories: dict[bytes, StandIn] = {}
        self._kept: OrderedDict[int, StandIn] = OrderedDict()
        self._memory = self._disk = 0

    def get(self, number: int) -> StandIn | None:
        """Return the stand-in with a number."""
        return self._numbers.get(number)

    def identify(self, device: int, inode: int) -> StandIn | None:
        """Return the stand-in that the kernel calls so."""
        return self._identities.get((device, inode))

    def file(self, path: bytes, stat: Stat) -> StandIn | None:
        """Return the kept stand-in of a path's present content."""
        found = self._files.get(path)
        if found is None or not same_content(found.stat, stat) or (found.filling and found.filling.failed):
            return None
        self._kept.move_to_end(found.number)
        return found

    def directory(self, path: bytes) -> StandIn | None:
        """Return the kept stand-in of a directory."""
        if found := self._directories.get(path):
            self._kept.move_to_end(found.number)
        return found

    def large(self) -> list[StandIn]:
        """Return the large files that are filling, or were."""
        return [each for each in self._numbers.values() if each.filling]

    def add(self, made: StandIn, identity: Identity) -> StandIn | None:
        """Note a stand-in that was made; the session has a descriptor of it.

        Return the older one of the same path, if later opens don't get it any more: it was let go of.
        """
        older = self._files.get(made.path) if made.kept and made.form is not LayerForm.DIRECTORY else None
        if older and older.form is not LayerForm.FILLING:
            self.let_go(older)
        else:
            older = None
        made.identity = identity
        made.held = True
        self._numbers[made.number] = made
        self._identities[identity] = made
        self._kept[made.number] = made
        self._memory += made.memory
        self._disk += made.disk
        if made.form is LayerForm.DIRECTORY:
            self._directories[made.path] = made
        elif made.kept:
            self._files[made.path] = made
        return older

    def let_go(self, made: StandIn) -> None:
        """Note that the session keeps no descriptor of it any more: no later open gets it."""
        if not made.held:
            return
        made.held = False
        del self._kept[made.number]
        self._memory -= made.memory
        self._disk -= made.disk
        for index in (self._files, self._directories):
            if index.get(made.path) is made:
                del index[made.path]

    def forget(self, made: StandIn) -> None:
        """Note that nobody holds it any more."""
        self.let_go(made)
        self._numbers.pop(made.number, None)
        if self._identities.get(made.identity) is made:
            del self._identities[made.identity]

    def excess(self) -> list[StandIn]:
        """Let go of what is beyond the budgets, the longest unused first, and return it.

        A file that is still filling stays: the session writes it.
        """
        gone: list[StandIn] = []
        budget = self._budget
        while len(self._kept) > budget.descriptors or self._memory > budget.memory or self._disk > budget.disk:
            many = len(self._kept) > budget.descriptors
            made = next((made for made in self._kept.values() if self._may_go(made, many=many)), None)
            if made is None:
                break
            self.let_go(made)
            gone.append(made)
        return gone

    def _may_go(self, made: StandIn, *, many: bool) -> bool:
        if made.form is LayerForm.FILLING:
            return False
        memory, disk = self._memory > self._budget.memory, self._disk > self._budget.disk
        return many or (memory and made.memory > 0) or (disk and made.disk > 0)
