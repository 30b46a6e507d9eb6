"""Puts an environment together: this machine's, the target's on it, then file, mapping, override and unset.

All is bytes: names and values are whatever the systems hold. Wildcards and patterns see them as text with escapes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from fnmatch import translate

from msgspec import Struct

from mirrord_cli.environment.excludes import BUILT_IN


class Wishes(Struct, frozen=True, kw_only=True):
    """What is done after the target's variables were taken, in this order."""

    file: Mapping[bytes, bytes] = {}
    mapping: Mapping[str, bytes] = {}
    """Regular expressions for names, and values."""
    override: Mapping[bytes, bytes] = {}
    unset: tuple[bytes, ...] = ()


def merge(own: Mapping[bytes, bytes], remote: Mapping[bytes, bytes], wishes: Wishes) -> dict[bytes, bytes]:
    """Return the program's environment. What only this machine has stays, unless it is to be unset.

    The agent leaves out what isn't wanted; what must never come is left out here too, whatever an agent sends.
    """
    never = re.compile("|".join(translate(os.fsdecode(wildcard)) for wildcard in BUILT_IN))
    taken = {name: value for name, value in remote.items() if not never.match(os.fsdecode(name))} | dict(wishes.file)
    patterns = [(re.compile(pattern), value) for pattern, value in wishes.mapping.items()]
    for name in taken:
        text = os.fsdecode(name)
        for pattern, value in patterns:
            if pattern.search(text):
                taken[name] = value
                break
    unset = {os.fsdecode(name).casefold() for name in wishes.unset}
    merged = {**own, **taken, **wishes.override}
    return {name: value for name, value in merged.items() if os.fsdecode(name).casefold() not in unset}
