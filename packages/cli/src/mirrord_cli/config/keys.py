"""The one definition of the keys: names, types, defaults, variables, options and what they mean.

The loader, the variables, the options, `verify-config`, the JSON schema, the suggestions for mistyped keys and the
tables of docs/configuration.md are made from it. Values here are strict: what a file may write shorter (`shorthand`,
one string for a list) is written out by tree.py first. `feature.network` is in network_keys.py, `agent` in
agent_keys.py; keys of mirrord that aren't built are in known.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Struct

from mirrord_cli.config.agent_keys import Agent
from mirrord_cli.config.key import Key, keys_below, note
from mirrord_cli.config.network_keys import Network

BUILD_TOOLS = (
    "air", "as", "asm", "bazel-real", "cargo", "cargo-watch", "cc", "cc1", "cgo", "clang", "collect2", "compile",
    "debugserver", "dlv", "gcc", "git", "go", "hpack", "jspawnhelper", "ld", "link", "math", "rustc",
)  # fmt: skip
"""What `skip_build_tools` means."""

FileMode = Literal["read", "local", "localwithoverrides"]


class Target(Struct, kw_only=True, frozen=True):
    path: Annotated[
        str | None,
        note(
            "The target, like `deployment/shop` or `process/4711`. `KIND/NAME` or `label/KEY=VALUE,...` is in a cluster,"
            " with `/container/NAME` behind it if its container is to be another than the main one; `process/PID` is on"
            " this machine; `targetless` is an agent alone. In a file also an object, with a key for the kind.",
            variable="MIRRORD_IMPERSONATED_TARGET",
            option=("--target", "-t"),
            shorthand=("target",),
        ),
    ] = None
    namespace: Annotated[
        str | None,
        note(
            "The target's namespace, and without a target the agent's; without it, the context's.",
            variable="MIRRORD_TARGET_NAMESPACE",
            option=("--target-namespace", "-n"),
            form="label",
        ),
    ] = None


class Env(Struct, kw_only=True, frozen=True):
    include: Annotated[
        list[str],
        note(
            "Take only these of the target's variables. Names may have the wildcards `*` and `?`; not together with"
            " `exclude`.",
            variable="MIRRORD_OVERRIDE_ENV_VARS_INCLUDE",
            option=("--override-env-vars-include", "-s"),
        ),
    ] = []
    exclude: Annotated[
        list[str],
        note(
            "Don't take these of the target's variables. Names may have the wildcards `*` and `?`.",
            variable="MIRRORD_OVERRIDE_ENV_VARS_EXCLUDE",
            option=("--override-env-vars-exclude", "-x"),
        ),
    ] = []
    env_file: Annotated[
        str | None,
        note(
            "A dotenv file whose values win over the target's. Relative to the working directory.",
            variable="MIRRORD_OVERRIDE_ENV_VARS_FILE",
            option=("--env-file",),
        ),
    ] = None
    mapping: Annotated[
        dict[str, str],
        note("Where the regular expression is found in the name of a variable from the target or the file, the value"
             " becomes this one."),
    ] = {}  # fmt: skip
    override: Annotated[dict[str, str], note("Variables and their values; they win over all before.")] = {}
    unset: Annotated[
        list[str], note("Variables that the program doesn't get, wherever they come from; case doesn't matter.")
    ] = []


class Fs(Struct, kw_only=True, frozen=True):
    mode: Annotated[
        FileMode,
        note(
            "Where a path belongs that no rule speaks of."
            " `read`: it is read from the target, and changed on this machine."
            " `localwithoverrides`: it is local. `local`: every path is local, whatever the patterns say.",
            variable="MIRRORD_FILE_MODE",
            option=("--fs-mode",),
        ),
    ] = "read"
    read_only: Annotated[
        list[str],
        note("Patterns of paths that are read from the target.", variable="MIRRORD_FILE_READ_ONLY_PATTERN", whole=True),
    ] = []
    local: Annotated[
        list[str], note("Patterns of paths that are local.", variable="MIRRORD_FILE_LOCAL_PATTERN", whole=True)
    ] = []  # fmt: skip
    not_found: Annotated[list[str], note("Patterns of paths that don't exist for the program.", whole=True)] = []
    mapping: Annotated[
        dict[str, str],
        note("Rewrites absolute paths before anything else: a pattern and what takes its place, with `$1` or `${name}`"
             " for its groups. The first that matches counts."),
    ] = {}  # fmt: skip
    cache_ttl: Annotated[
        float,
        note(
            "Seconds for which an answer of the target is taken for true where it can't tell of changes; 0 asks anew"
            " each time.",
            variable="MIRRORD_FILE_CACHE_TTL",
            least=0,
            most=86400,
        ),
    ] = 1.0


class Feature(Struct, kw_only=True, frozen=True):
    env: Annotated[
        Env, note("The target's environment variables. `false` takes none.", shorthand=("switch",))
    ] = Env()  # fmt: skip
    fs: Annotated[
        Fs, note("The target's files. `false` means the mode `local`; a mode alone may stand here.", shorthand=("switch", "mode"))
    ] = Fs()  # fmt: skip
    network: Annotated[
        Network,
        note(
            "The target's network. `false` means that `incoming`, `outgoing` and `dns` are.",
            shorthand=("switch",),
        ),
    ] = Network()
    hostname: Annotated[bool, note("The program is told the target's host name.")] = True


class StartupRetry(Struct, kw_only=True, frozen=True):
    min_ms: Annotated[
        int, note("Milliseconds before the first repetition; each waits longer than the one before.", least=0, most=86400000)
    ] = 500  # fmt: skip
    max_ms: Annotated[int, note("Milliseconds before a repetition at most.", least=1, most=86400000)] = 5000
    max_retries: Annotated[int, note("How often at most; 0 repeats nothing.", least=0, most=2**32 - 1)] = 2


class Config(Struct, kw_only=True, frozen=True):
    target: Annotated[Target, note("What to stand in for. Its name alone may stand here.", shorthand=("target",))] = (
        Target()
    )
    kubeconfig: Annotated[
        str | None,
        note(
            "The kubeconfig file; without it, those of KUBECONFIG, or `~/.kube/config`, or what a pod has.",
            variable="MIRRORD_KUBECONFIG",
            option=("--kubeconfig",),
        ),
    ] = None
    kube_context: Annotated[
        str | None,
        note(
            "The context of the kubeconfig; without it, its current one.",
            variable="MIRRORD_KUBE_CONTEXT",
            option=("--context",),
        ),
    ] = None
    accept_invalid_certificates: Annotated[
        bool | None,
        note(
            "The certificate of the cluster's API server isn't checked; without it, as the kubeconfig says.",
            variable="MIRRORD_ACCEPT_INVALID_CERTIFICATES",
            option=("--accept-invalid-certificates", "-c"),
            says="true",
        ),
    ] = None
    use_proxy: Annotated[
        bool,
        note(
            "The API server is reached through the proxy that HTTPS_PROXY or HTTP_PROXY names, if one does.",
            variable="MIRRORD_PROXY",
        ),
    ] = True
    startup_retry: Annotated[
        StartupRetry, note("Questions to the API server that failed for a passing reason are asked again.")
    ] = StartupRetry()  # fmt: skip
    agent: Annotated[Agent, note("The agent beside the target: what it is in a cluster, and how it behaves.")] = Agent()
    feature: Annotated[Feature, note("What is taken from the target.")] = Feature()
    skip_processes: Annotated[
        list[str],
        note(
            "Programs that run without mirrord. Names without their folders.",
            variable="MIRRORD_SKIP_PROCESSES",
            option=("--skip-processes",),
        ),
    ] = []
    skip_build_tools: Annotated[
        bool,
        note("Compilers and other build tools run without mirrord.", variable="MIRRORD_SKIP_BUILD_TOOLS"),
    ] = True
    skip_extra_build_tools: Annotated[
        list[str],
        note("Further build tools, for `skip_build_tools`.", variable="MIRRORD_SKIP_EXTRA_BUILD_TOOLS"),
    ] = []


def all_keys() -> Iterator[Key]:
    """Yield every key, a section before its own."""
    return keys_below(Config)
