"""What to say of a key that the definition doesn't have: it isn't built, or it is mistyped."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mirrord_cli.config import known
from mirrord_cli.config.key import keys_below
from mirrord_cli.config.keys import all_keys
from mirrord_cli.config.target import OBJECT_KEYS
from mirrord_cli.config.values import Problem

LIKE = 0.6  # how alike a suggestion must be: `evn` and `env` are 0.67
FORMS = [
    *(f"target.path.{name}" for name in (*OBJECT_KEYS, "container")),
    "agent.image.registry",
    "agent.image.tag",
    *(inner.path for key in all_keys() if key.of for inner in keys_below(key.of, key.path)),
]
"""What objects may have that the definition has as one value."""
INDEX = re.compile(r"\[[0-9]+\]")


def stranger(path: str, value: object) -> Iterator[Problem]:
    """Yield what to say of a key that the definition doesn't have."""
    if path in known.KEYS:
        if value is None or any(type(value) is type(so) and value == so for so in known.ALREADY_SO.get(path, ())):
            return
        inner = [known_path for known_path in known.ALREADY_SO if known_path.startswith(f"{path}.")]
        if inner and isinstance(value, dict):
            for each, content in value.items():
                yield from stranger(f"{path}.{each}", content)
            return
        yield Problem(path, f"{path} is not supported yet.", "Remove it, or wait for a later version.")
        return
    if nearest := suggest(path):
        hint = f" Did you mean {nearest}?" + (" (That is not supported yet.)" if nearest in known.KEYS else "")
    else:
        hint = ""
    yield Problem(path, f"There is no key {path}.{hint}")


def suggest(path: str) -> str | None:
    """Return the known key that a mistyped or misplaced one comes nearest to."""
    from difflib import get_close_matches

    above, _, name = INDEX.sub("", path).rpartition(".")
    places = [key.path for key in all_keys()] + sorted(known.KEYS) + FORMS
    beside = {place.rpartition(".")[2]: place for place in reversed(places) if place.rpartition(".")[0] == above}
    if close := get_close_matches(name.lower(), beside, 1, LIKE):
        return beside[close[0]]
    elsewhere = {place.rpartition(".")[2]: place for place in reversed(places)}
    return elsewhere.get(name.lower())
