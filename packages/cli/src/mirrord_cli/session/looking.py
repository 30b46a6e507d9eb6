"""Lists a directory unasked when a program looks for one thing after another in it. No I/O.

After the second question about a directory's entries the third is likely, and a listing answers all that follow, of
what isn't there too. It is asked for beside the program's question, never before it, and given up if it is long. Where
it doesn't hold, since the directory keeps changing, it is asked for again more and more rarely.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from typing import Final

from mirrord_cli.session.facts import Facts
from mirrord_cli.session.paths import is_clean, split
from mirrord_cli.session.questions import Outcome, Questions, Refused
from mirrord_protocol.values import ListDirectory

ENOUGH: Final = frozenset(2 * 4**power for power in range(16))
"""Questions about a directory's entries after which it is listed."""
LONGEST: Final = 256 << 10
"""Bytes of a listing: some 1,200 entries."""
NEVER: Final = -sys.maxsize
AT_ONCE: Final = 4
REMEMBERED: Final = 1024


class Looking:
    """Counts what programs look for."""

    def __init__(self, questions: Questions, facts: Facts) -> None:
        self._questions = questions
        self._facts = facts
        self._counts: OrderedDict[bytes, int] = OrderedDict()
        self._under_way = 0

    def missed(self, path: bytes) -> None:
        """Note that the agent is asked about a path."""
        if not self._facts.keeps or not is_clean(path):
            return
        directory = split(path)[0]
        count = self._counts[directory] = self._counts.get(directory, 0) + 1
        self._counts.move_to_end(directory)
        if len(self._counts) > REMEMBERED:
            self._counts.popitem(last=False)
        if count not in ENOUGH or self._under_way >= AT_ONCE or self._facts.listing(directory) is not None:
            return

        def told(outcome: Outcome) -> None:
            self._under_way -= 1
            if isinstance(outcome, Refused):
                self._counts[directory] = NEVER
            self._facts.learn_listing(directory, outcome)

        self._under_way += 1
        self._questions.ask(ListDirectory(directory, watch=True), told, LONGEST)
