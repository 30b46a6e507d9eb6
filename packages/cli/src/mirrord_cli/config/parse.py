"""A configuration file's text, by its format, as plain values. Mistakes of the format are found here, with their line."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

FORMATS = {"": "JSON", ".json": "JSON", ".toml": "TOML", ".yaml": "YAML", ".yml": "YAML"}
"""By a file name's extension; standard input has none."""


class Malformed(ValueError):
    """The text isn't in its format; says why, and where if that is known."""


def parse(text: str, extension: str) -> Any:
    """Return a text's values.

    Raises:
        Malformed: It has none.
        KeyError: No format has this extension.
    """
    return {"JSON": _json, "TOML": _toml, "YAML": _yaml}[FORMATS[extension]](text)


def line_of(text: str, path: str) -> int | None:
    """Return the line of a key in a text of any of the formats: of its last name that is a key there only once."""
    if not path:
        return None
    above, _, name = path.rpartition(".")
    name = name.partition("[")[0]
    found = list(re.finditer(rf"""(?m)(?:^|[\s{{,.\[])["']?{re.escape(name)}["']?\s*(?:[:=]|(?:\.[\w.]+)?\])""", text))
    if len(found) != 1:
        return None if found else line_of(text, above)
    return text.count("\n", 0, found[0].start() + found[0].group().index(name)) + 1


def _json(text: str) -> Any:
    import json

    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise Malformed(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    except Malformed:
        raise
    except ValueError as error:  # a number of thousands of digits
        raise Malformed(str(error)) from None
    except RecursionError:
        raise Malformed("it is nested too deeply") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise Malformed(f"the key {name!r} stands twice in one object")
        found[name] = value
    return found


def _no_constant(name: str) -> Any:
    raise Malformed(f"{name} is no value of JSON")


def _toml(text: str) -> Any:
    import tomllib

    try:
        return tomllib.loads(text)
    except ValueError as error:
        raise Malformed(str(error)) from None
    except RecursionError:
        raise Malformed("it is nested too deeply") from None


def _yaml(text: str) -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """As YAML's safe loader, but a key that stands twice is an error, and dates stay text."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - the loader's own signature
            seen = set[str]()
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    raise yaml.constructor.ConstructorError(None, None, "a key must be a string", key.start_mark)
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value!r} stands twice", key.start_mark
                    )
                seen.add(key.value)
            return super().construct_mapping(node, deep)

    try:
        tree = yaml.load(text, Loader)  # noqa: S506 - it is a safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise Malformed(f"{place}{error.problem}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise Malformed(" ".join(str(error).split())) from None
    except RecursionError:
        raise Malformed("it is nested too deeply") from None
    return {} if tree is None else tree
