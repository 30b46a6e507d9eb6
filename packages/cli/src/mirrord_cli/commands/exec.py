"""`mirrord exec`: resolves the configuration, has a session started, and becomes the program."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import click

from mirrord_cli.config.driver import DEFAULT_FILE, load
from mirrord_cli.config.keys import all_keys
from mirrord_cli.config.resolve import Resolved
from mirrord_cli.config.target import EXAMPLE, TARGETLESS, ClusterTarget, target_name
from mirrord_cli.environment import BUILT_IN, Wishes, merge
from mirrord_cli.environment.probes import KUBERNETES, probe_warnings, probes_of
from mirrord_cli.errors import MirrordError
from mirrord_cli.launch import (
    Found,
    InCluster,
    Started,
    agent_command,
    become,
    debugger_ports,
    find_program,
    find_target,
    installations,
    new_log,
    own_environment,
    start_in_cluster,
    start_session,
    unknown_detector,
)
from mirrord_cli.session.settings import (
    EnvironmentRules,
    FileRules,
    LocalTarget,
    Mode,
    NetworkRules,
    PodTarget,
    Settings,
)
from mirrord_cli.ui import Screen, Summary
from mirrord_layer_unix import library_path

PRELOAD_SEPARATORS = frozenset(" \t\n\v\f\r:")
"""What separates names in LD_PRELOAD, under glibc or musl; there is no way to quote them."""
METAVARS = {
    "target.path": "TARGET",
    "target.namespace": "NAME",
    "kubeconfig": "FILE",
    "kube_context": "NAME",
    "agent.namespace": "NAME",
    "agent.image": "IMAGE",
    "agent.ttl": "SECONDS",
    "agent.startup_timeout": "SECONDS",
    "agent.log_level": "LEVEL",
    "feature.env.include": "NAMES",
    "feature.env.exclude": "NAMES",
    "feature.env.env_file": "FILE",
    "feature.fs.mode": "MODE",
    "skip_processes": "NAMES",
}
FLAGS = {
    "accept_invalid_certificates": "The API server's certificate isn't checked.",
    "agent.ephemeral": "The agent is an ephemeral container in the target's pod.",
    "feature.network.incoming.mode": "The program answers what comes to the target's ports.",
    "feature.network.outgoing": "TCP and UDP leave from this machine.",
    "feature.network.outgoing.tcp": "TCP connections leave from this machine.",
    "feature.network.outgoing.udp": "Datagrams of UDP leave from this machine.",
    "feature.network.dns.enabled": "Names are resolved on this machine.",
}
"""What options do that take no value."""
EPILOG = """\b
All after PROGRAM belongs to it. NAMES are separated by semicolons.
TARGET is KIND/NAME, and /container/NAME behind it if need be; KIND is pod,
deployment, statefulset, daemonset, replicaset, rollout, job, cronjob or
service. Or it is label/KEY=VALUE,..., process/PID of this machine, or
targetless: a pod of its own. `mirrord ls` lists what a namespace has.
MODE is read, local or localwithoverrides.
LEVEL is debug, info, warning or error.
A bare -f means ./.mirrord/mirrord.json; -f - reads standard input.
\b
Each option has a variable, which it overrides; both override the file:
  MIRRORD_IMPERSONATED_TARGET, MIRRORD_TARGET_NAMESPACE,
  MIRRORD_KUBECONFIG, MIRRORD_KUBE_CONTEXT,
  MIRRORD_ACCEPT_INVALID_CERTIFICATES (true or false),
  MIRRORD_AGENT_MODE (auto, job or ephemeral), ..._NAMESPACE,
  ..._IMAGE, ..._TTL, ..._STARTUP_TIMEOUT, MIRRORD_AGENT_RUST_LOG,
  MIRRORD_EPHEMERAL_CONTAINER (true or false),
  MIRRORD_CONFIG_FILE, MIRRORD_FILE_MODE,
  MIRRORD_OVERRIDE_ENV_VARS_INCLUDE, ..._EXCLUDE, ..._FILE,
  MIRRORD_AGENT_TCP_STEAL_TRAFFIC (true, false or a mode),
  MIRRORD_TCP_OUTGOING, MIRRORD_UDP_OUTGOING, MIRRORD_REMOTE_DNS,
  MIRRORD_SKIP_PROCESSES
\b
Examples:
  mirrord exec -t deployment/shop -- python app.py
  mirrord exec -n lab -t pod/shop-0/container/web --steal -- npm start
  mirrord exec -t targetless -- bash
  mirrord exec -t process/4711 -x 'AWS_*;*_TOKEN' -- flask run
  mirrord exec -f -q -- cat /srv/shop/config.json
"""


def _configuration_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that the definition of the keys has."""
    for key in reversed(list(all_keys())):
        if not key.option:
            continue
        name = f"key_{key.path.replace('.', '__')}"
        if key.says:
            command = click.option(*key.option, name, is_flag=True, help=FLAGS[key.path])(command)
        else:
            text = key.description.partition(". ")[0].replace("`", "").rstrip(".") + "."
            several, metavar = METAVARS[key.path] == "NAMES", METAVARS[key.path]
            command = click.option(*key.option, name, metavar=metavar, help=text, multiple=several)(command)
    return command


@click.command(
    "exec",
    epilog=EPILOG,
    options_metavar="[OPTIONS]",
    context_settings={"allow_interspersed_args": False, "help_option_names": ["-h", "--help"]},
)
@_configuration_options
@click.option("-f", "--config-file", "file", is_flag=False, flag_value=DEFAULT_FILE, metavar="[FILE]",
              help="A configuration file: .json, .toml, .yaml.")  # fmt: skip
@click.option("-q", "--quiet", is_flag=True, help="Print errors only.")
@click.argument("program", type=click.UNPROCESSED)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def exec_command(
    *,
    program: str,
    arguments: tuple[str, ...],
    file: str | None,
    quiet: bool,
    **keys: str | bool | tuple[str, ...] | None,
) -> None:
    """Run PROGRAM with the environment, the files and the network of a target."""
    options = _options(keys)
    own = own_environment()
    if own.get(b"MIRRORD_LAYER"):
        text = "This already runs under mirrord, and mirrord doesn't run inside itself."
        raise MirrordError("you", text, "Start it from a shell that isn't under mirrord.")
    variables = {os.fsdecode(name): os.fsdecode(value) for name, value in own.items()}
    screen = Screen(variables, quiet=quiet)
    resolved = load(options, variables, file)
    for warning in filter(None, (*resolved.warnings, unknown_detector(variables))):
        screen.warning(warning)
    if resolved.target is None:
        raise MirrordError("you", "No target is named.", f"{EXAMPLE} Give it with -t, or as `target` in a file.")
    wishes = _wishes(resolved, own)
    skipped = tuple(map(_bytes, resolved.skipped_programs))
    found = find_program(os.fsencode(program), own.get(b"PATH"), frozenset(skipped))
    debuggers = debugger_ports([program, *arguments], variables | resolved.config.feature.env.override)
    target = resolved.target
    name = target_name(target)
    local = PodTarget(name=name) if isinstance(target, ClusterTarget) else find_target(target)
    settings = _settings(resolved, local, found, own, skipped, debuggers)
    clustered: InCluster | None = None
    with screen.waiting(f"starting a session with {name}"):
        if isinstance(target, ClusterTarget):
            clustered = start_in_cluster(settings, target, resolved.config, variables, screen.progress)
            started = clustered.started
        else:
            started = start_session(settings, screen.progress)
    remote = dict(
        reversed(started.ready.environment)
    )  # of a name that is there twice the first counts, as in getenv(3)
    environment = merge(own, remote, wishes)
    environment |= started.variables(settings.library, environment.get(b"LD_PRELOAD"))
    network = settings.network.without(started.ready.lacking)
    for warning in (*_warnings(clustered, started), *_probe_warnings(network, clustered, remote)):
        screen.warning(warning)
    where = clustered.place if clustered else os.fsdecode(started.ready.target_name)
    screen.summary(
        Summary(
            target=f"{name} ({where})" if where else name,
            agent=clustered.agent if clustered else None,
            variables=len(remote) if settings.environment.wanted else None,
            mode=resolved.config.feature.fs.mode,
            network=network,
            skipped=program if found.skipped else None,
            log=os.fsdecode(settings.log_path) if settings.log_path else None,
        )
    )
    started.inherit()
    become(found.path, [os.fsencode(program), *map(os.fsencode, arguments)], environment)


def _warnings(clustered: InCluster | None, started: Started) -> tuple[str, ...]:
    return (*(clustered.warnings if clustered else ()), *started.ready.warnings)


def _probe_warnings(network: NetworkRules, clustered: InCluster | None, remote: Mapping[bytes, bytes]) -> Iterator[str]:
    if clustered:
        return probe_warnings(network, clustered.probes, kubernetes=False)  # its pod tells of all that there are
    return probe_warnings(network, probes_of(remote), kubernetes=KUBERNETES in remote)


def _options(keys: Mapping[str, str | bool | tuple[str, ...] | None]) -> dict[str, str]:
    """Return what the options say, by key; an option that was given with nothing says that."""
    found = {}
    for key in all_keys():
        match keys.get(f"key_{key.path.replace('.', '__')}"):
            case str() as text:
                found[key.path] = text
            case True:
                found[key.path] = key.says
            case (_, *_) as several:
                found[key.path] = ";".join(several)
    return found


def _wishes(resolved: Resolved, own: Mapping[bytes, bytes]) -> Wishes:
    env = resolved.config.feature.env
    file: Mapping[bytes, bytes] = {}
    if env.env_file:
        from mirrord_cli.environment.driver import read_env_file

        file = read_env_file(env.env_file, own)
    return Wishes(
        file=file,
        mapping={pattern: _bytes(value) for pattern, value in env.mapping.items()},
        override={_bytes(name): _bytes(value) for name, value in env.override.items()},
        unset=tuple(map(_bytes, env.unset)),
    )


def _settings(
    resolved: Resolved,
    target: LocalTarget | PodTarget,
    found: Found,
    own: Mapping[bytes, bytes],
    skipped: tuple[bytes, ...],
    debuggers: tuple[tuple[int, int], ...] = (),
) -> Settings:
    env, fs = resolved.config.feature.env, resolved.config.feature.fs
    temporary = own.get(b"TMPDIR", b"")
    temporary = _clean(temporary) if os.path.isabs(temporary) else b"/tmp"
    return Settings(
        target=target,
        agent_command=agent_command(own),
        files=FileRules(
            mode=Mode(fs.mode),
            read_only=tuple(fs.read_only),
            local=tuple(fs.local),
            not_found=tuple(fs.not_found),
            mapping=tuple(fs.mapping.items()),
            home=_home(own),
            working_directory=_working_directory(),
            temporary=temporary,
            executable=found.file,
            installations=installations(found.file, own.get(b"PATH")),
        ),
        environment=EnvironmentRules(
            wanted=env.exclude != ["*"],
            include=tuple(map(_bytes, env.include)),
            exclude=BUILT_IN + tuple(map(_bytes, env.exclude)),
        ),
        network=replace(_network(resolved), debugger_ports=debuggers),
        skipped_programs=skipped,
        library=os.fsencode(_library()),
        time_to_live=fs.cache_ttl,
        temporary_directory=temporary,
        log_path=new_log(own),
        user_id=os.geteuid(),
    )


def _network(resolved: Resolved) -> NetworkRules:
    """Return the rules; an agent that is its own target has no connections that come."""
    target = resolved.target
    if isinstance(target, ClusterTarget) and target.kind == TARGETLESS:
        return resolved.network.without(["incoming"])
    return resolved.network


def _library() -> str:
    try:
        path = str(library_path())
    except FileNotFoundError as error:
        raise MirrordError("us", f"The layer is missing: {error}.", "Install mirrord again.") from None
    if set(path) & PRELOAD_SEPARATORS:
        text = f"The loader can't preload mirrord's layer from {path}: its list of libraries separates by blanks and colons."
        raise MirrordError("you", text, "Install mirrord in a folder whose path has neither.")
    return path


def _home(own: Mapping[bytes, bytes]) -> bytes:
    home = own.get(b"HOME", b"")
    if not os.path.isabs(home):
        try:
            home = os.fsencode(pwd.getpwuid(os.getuid()).pw_dir)
        except KeyError:  # a user without an entry, as containers have them
            home = b"/"
    return _clean(home)


def _working_directory() -> bytes:
    try:
        return _clean(os.getcwdb())
    except OSError as error:
        text = f"The working directory can't be used: {error.strerror}."
        raise MirrordError("you", text, "Change to a folder that exists.") from None


def _clean(path: bytes) -> bytes:
    return b"/" + os.path.normpath(path).lstrip(b"/")


def _bytes(text: str) -> bytes:
    """Return a text of an option or a file as this system has it, or in UTF-8 where its locale has no such letters."""
    try:
        return os.fsencode(text)
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape")
