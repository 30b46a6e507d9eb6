"""What a key is: the notes that the definition makes beside a field, and how they are read. The definition is keys.py."""

from __future__ import annotations

from collections.abc import Iterator
from types import NoneType
from typing import Any, Literal, get_args, get_type_hints

from msgspec import NODEFAULT, Meta, Struct
from msgspec.structs import fields

Shorthand = Literal["switch", "mode", "target", "image"]


def note(
    text: str,
    *,
    variable: str = "",
    option: tuple[str, ...] = (),
    says: str = "",
    shorthand: tuple[Shorthand, ...] = (),
    whole: bool = False,
    least: int | None = None,
    most: int | None = None,
    form: str = "",
    of: type[Struct] | None = None,
) -> Meta:
    """Return the note beside a key's field; its parts are `Key`'s."""
    extra = {"variable": variable, "option": option, "says": says, "shorthand": shorthand, "whole": whole}
    extra |= {"least": least, "most": most, "form": form, "of": of}
    return Meta(description=text, extra=extra)


class Key(Struct, frozen=True):
    """One key: where it stands and what the definition says of it."""

    path: str
    """Dotted, from the top of the file."""
    kind: Any
    """Its type, without the notes and without None; a Struct where it has keys of its own."""
    default: Any
    description: str
    variable: str
    option: tuple[str, ...]
    says: str
    """What the option says, where it is a flag that takes no value."""
    shorthand: tuple[Shorthand, ...]
    whole: bool
    """Whether one string in a file is one value, whatever it holds: a pattern."""
    least: int | None
    """The least that a number may be; `most` likewise."""
    most: int | None
    form: str
    """What a text, or an object of strings, has to look like: a word of names.py."""
    required: bool
    """Whether its section can't be without it."""
    of: type[Struct] | None
    """The keys of an object, or of each of a list, that is handed on as it is."""

    @property
    def section(self) -> type[Struct] | None:
        """The Struct of its own keys, if it has some."""
        return self.kind if isinstance(self.kind, type) and issubclass(self.kind, Struct) else None


def keys_of(section: type[Struct], above: str = "") -> Iterator[Key]:
    """Yield the keys right below a section, in their order."""
    hints = get_type_hints(section, include_extras=True)
    for field in fields(section):
        kind, meta = get_args(hints[field.name])
        if NoneType in get_args(kind):
            kind = next(each for each in get_args(kind) if each is not NoneType)
        default = field.default
        if default is NODEFAULT:
            default = None if field.required else field.default_factory()
        path = f"{above}.{field.name}" if above else field.name
        yield Key(path, kind, default, meta.description, required=field.required, **meta.extra)


def keys_below(section: type[Struct], above: str = "") -> Iterator[Key]:
    """Yield every key of a section, a section before its own."""
    for key in keys_of(section, above):
        yield key
        if key.section:
            yield from keys_below(key.section, key.path)
