"""The one definition of the keys: names, types, defaults, variables, options and what they mean.

The loader, the variables, the options, `verify-config`, the JSON schema, the suggestions for mistyped keys and the
tables of docs/configuration.md are made from it. Values here are strict: what a file may write shorter (`shorthand`,
one string for a list) is written out by expand.py first. Keys of mirrord that aren't built are in known.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_type_hints

from msgspec import NODEFAULT, Meta, Struct
from msgspec.structs import fields

BUILD_TOOLS = (
    "air", "as", "asm", "bazel-real", "cargo", "cargo-watch", "cc", "cc1", "cgo", "clang", "collect2", "compile",
    "debugserver", "dlv", "gcc", "git", "go", "hpack", "jspawnhelper", "ld", "link", "math", "rustc",
)  # fmt: skip
"""What `skip_build_tools` means."""

FileMode = Literal["read", "local", "localwithoverrides"]
Shorthand = Literal["switch", "mode", "target"]


def _key(text: str, *, variable: str = "", option: tuple[str, ...] = (), shorthand: tuple[Shorthand, ...] = ()) -> Meta:
    return Meta(description=text, extra={"variable": variable, "option": option, "shorthand": shorthand})


class Target(Struct, kw_only=True, frozen=True):
    path: Annotated[
        str | None,
        _key(
            "The target: `process/PID`. In a file also an object with the key `process`.",
            variable="MIRRORD_IMPERSONATED_TARGET",
            option=("--target", "-t"),
            shorthand=("target",),
        ),
    ] = None


class Env(Struct, kw_only=True, frozen=True):
    include: Annotated[
        list[str],
        _key(
            "Take only these of the target's variables. Names may have the wildcards `*` and `?`; not together with"
            " `exclude`.",
            variable="MIRRORD_OVERRIDE_ENV_VARS_INCLUDE",
            option=("--override-env-vars-include", "-s"),
        ),
    ] = []
    exclude: Annotated[
        list[str],
        _key(
            "Don't take these of the target's variables. Names may have the wildcards `*` and `?`.",
            variable="MIRRORD_OVERRIDE_ENV_VARS_EXCLUDE",
            option=("--override-env-vars-exclude", "-x"),
        ),
    ] = []
    env_file: Annotated[
        str | None,
        _key(
            "A dotenv file whose values win over the target's. Relative to the working directory.",
            variable="MIRRORD_OVERRIDE_ENV_VARS_FILE",
            option=("--env-file",),
        ),
    ] = None
    mapping: Annotated[
        dict[str, str],
        _key("Where the regular expression is found in the name of a variable from the target or the file, the value"
             " becomes this one."),
    ] = {}  # fmt: skip
    override: Annotated[dict[str, str], _key("Variables and their values; they win over all before.")] = {}
    unset: Annotated[
        list[str], _key("Variables that the program doesn't get, wherever they come from; case doesn't matter.")
    ] = []


class Fs(Struct, kw_only=True, frozen=True):
    mode: Annotated[
        FileMode,
        _key(
            "Where a path belongs that no rule speaks of."
            " `read`: it is read from the target, and changed on this machine."
            " `localwithoverrides`: it is local. `local`: every path is local, whatever the patterns say.",
            variable="MIRRORD_FILE_MODE",
            option=("--fs-mode",),
        ),
    ] = "read"
    read_only: Annotated[
        list[str],
        _key("Patterns of paths that are read from the target.", variable="MIRRORD_FILE_READ_ONLY_PATTERN"),
    ] = []
    local: Annotated[
        list[str], _key("Patterns of paths that are local.", variable="MIRRORD_FILE_LOCAL_PATTERN")
    ] = []  # fmt: skip
    not_found: Annotated[list[str], _key("Patterns of paths that don't exist for the program.")] = []
    mapping: Annotated[
        dict[str, str],
        _key("Rewrites absolute paths before anything else: a pattern and what takes its place, with `$1` or `${name}`"
             " for its groups. The first that matches counts."),
    ] = {}  # fmt: skip
    cache_ttl: Annotated[
        float,
        _key(
            "Seconds for which an answer of the target is taken for true where it can't tell of changes; 0 asks anew"
            " each time.",
            variable="MIRRORD_FILE_CACHE_TTL",
        ),
    ] = 1.0


class Feature(Struct, kw_only=True, frozen=True):
    env: Annotated[
        Env, _key("The target's environment variables. `false` takes none.", shorthand=("switch",))
    ] = Env()  # fmt: skip
    fs: Annotated[
        Fs, _key("The target's files. `false` means the mode `local`; a mode alone may stand here.", shorthand=("switch", "mode"))
    ] = Fs()  # fmt: skip


class Config(Struct, kw_only=True, frozen=True):
    target: Annotated[Target, _key("What to stand in for. Its name alone may stand here.", shorthand=("target",))] = (
        Target()
    )
    feature: Annotated[Feature, _key("What is taken from the target.")] = Feature()
    skip_processes: Annotated[
        list[str],
        _key(
            "Programs that run without mirrord. Names without their folders.",
            variable="MIRRORD_SKIP_PROCESSES",
            option=("--skip-processes",),
        ),
    ] = []
    skip_build_tools: Annotated[
        bool,
        _key("Compilers and other build tools run without mirrord.", variable="MIRRORD_SKIP_BUILD_TOOLS"),
    ] = True
    skip_extra_build_tools: Annotated[
        list[str],
        _key("Further build tools, for `skip_build_tools`.", variable="MIRRORD_SKIP_EXTRA_BUILD_TOOLS"),
    ] = []


class Key(Struct, frozen=True):
    """One key: where it stands and what the definition says of it."""

    path: str
    """Dotted, from the top of the file."""
    kind: Any
    """Its type, without the notes; a Struct where it has keys of its own."""
    default: Any
    description: str
    variable: str
    option: tuple[str, ...]
    shorthand: tuple[Shorthand, ...]

    @property
    def section(self) -> type[Struct] | None:
        """The Struct of its own keys, if it has some."""
        return self.kind if isinstance(self.kind, type) and issubclass(self.kind, Struct) else None


def keys_of(section: type[Struct], above: str = "") -> Iterator[Key]:
    """Yield the keys right below a section, in their order."""
    hints = get_type_hints(section, include_extras=True)
    for field in fields(section):
        kind, meta = get_args(hints[field.name])
        default = field.default if field.default is not NODEFAULT else field.default_factory()
        path = f"{above}.{field.name}" if above else field.name
        yield Key(path, kind, default, meta.description, **meta.extra)


def all_keys(section: type[Struct] = Config, above: str = "") -> Iterator[Key]:
    """Yield every key, a section before its own."""
    for key in keys_of(section, above):
        yield key
        if key.section:
            yield from all_keys(key.section, key.path)
