"""What a user needs to be allowed in order to find a target and to list them. No I/O.

Less is enough for some kinds of targets, and a wrong name gets a better answer with more (namespaces, and the same name
in others): what isn't allowed is left out of the words.
"""

from __future__ import annotations

from mirrord_cli.cluster.rights import Right
from mirrord_cli.cluster.targets.kinds import KINDS, SLICE

RIGHTS = (
    *(
        Right(kind.group, kind.plural, ("get", "list"), "Targets are found, and listed by `mirrord ls`.")
        for kind in KINDS.values()
    ),
    Right(SLICE.group, SLICE.plural, ("list",), "The pods of a Service without a selector."),
)
