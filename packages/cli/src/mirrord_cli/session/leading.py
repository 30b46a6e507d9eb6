"""Directories that lead to what is this machine's. Where the target has no such directory, it is this machine's too.

A program under `/code` whose working directory and files are local looks at `/code` as well: Node does so for each
folder above its script. The target is asked first, since it may have that directory, and more in it. No I/O.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import Final

from mirrord_cli.session.actions import Action, Answer, AnswerStream
from mirrord_cli.session.paths import parents
from mirrord_cli.session.settings import FileRules
from mirrord_protocol.layer_values import LayerOutcome, LayerReply

KEPT: Final = 4096
"""So many directories are remembered, those that were met last."""


class Leading:
    """Which directories lead to local paths, and which questions about them are not answered yet."""

    def __init__(self, files: FileRules) -> None:
        own = (files.home, files.working_directory, files.temporary, files.executable, *files.installations)
        self._always = frozenset(above for path in own for above in parents(path))
        self._met: OrderedDict[bytes, None] = OrderedDict()
        self._moved: dict[int, bytes] = {}

    def met(self, path: bytes) -> None:
        """Note that a cleaned path was found to be this machine's."""
        for above in parents(path):
            known = above in self._met
            self._met[above] = None
            self._met.move_to_end(above)
            if known:
                break
        while len(self._met) > KEPT:
            self._met.popitem(last=False)

    def asked(self, channel: int, path: bytes, moved: bytes) -> None:
        """Note a question about a cleaned remote path; `moved` is what the layer is to use if it is to be local."""
        if path in self._always or path in self._met:
            self._moved[channel] = moved

    def correct(self, action: Action) -> Action:
        """Return an action as it is to be: an answer `ENOENT` about one of these becomes `local`."""
        if isinstance(action, Answer | AnswerStream):
            moved = self._moved.pop(action.channel, None)
            if moved is not None and action.reply.errno == "ENOENT" and isinstance(action, Answer):
                return replace(action, reply=LayerReply(LayerOutcome.LOCAL, payload=len(moved)), payload=moved)
        return action
