"""What the keys of `feature.network` mean together: mistakes, warnings, and the rules that a session gets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mirrord_cli.config import known
from mirrord_cli.config.filters import EXAMPLE, BadFilter, parse_filter
from mirrord_cli.config.keys import Config
from mirrord_cli.config.network_keys import Filter as FilterKeys
from mirrord_cli.config.patterns import BadPattern, translate
from mirrord_cli.config.values import Problem
from mirrord_cli.session.settings import Filter, FilterEntry, IncomingMode, IncomingRules, NetworkRules

NETWORK = "feature.network"
MODE = f"{NETWORK}.incoming.mode"
OUTGOING_FILTER = f"{NETWORK}.outgoing.filter"
DNS_FILTER = f"{NETWORK}.dns.filter"
UNIX_STREAMS = f"{NETWORK}.outgoing.unix_streams"
SIDES = ("remote", "local")


# ---------------------------------------------------------------------------------------------- mistakes


def check_network(network: Mapping[str, Any], variables: Mapping[str, str]) -> Iterator[Problem]:
    """Yield what is wrong with values that are each right."""
    incoming, outgoing = network.get("incoming", {}), network.get("outgoing", {})
    if incoming.get("ports") and incoming.get("ignore_ports"):
        text = f"Both ports and ignore_ports of {NETWORK}.incoming are given, and only one can be."
        yield Problem(f"{NETWORK}.incoming.ports", text, "Leave one of them out.")
    for name in ("port_mapping", "listen_ports"):
        yield from _pairs(f"{NETWORK}.incoming.{name}", incoming.get(name, []))
    if incoming.get("mode") != "off":
        for name in known.HTTP_FILTERS:
            if variables.get(name):
                text = f"The variable {name} is set, but filters of HTTP requests are not supported yet: without them"
                yield Problem(name, f"{text} every connection would be taken.", "Unset it, or switch incoming off.")
    yield from _filter(OUTGOING_FILTER, outgoing.get("filter", {}), protocols=True)
    yield from _filter(DNS_FILTER, network.get("dns", {}).get("filter", {}), protocols=False)
    for pattern in outgoing.get("unix_streams", []):
        try:
            translate(pattern)
        except BadPattern as error:
            text = f"{UNIX_STREAMS}: the pattern {pattern!r} is no regular expression: {error}."
            yield Problem(
                UNIX_STREAMS, text, "Correct it; a backslash before a special character takes it as it is."
            )  # fmt: skip


def _pairs(path: str, pairs: list[list[int]]) -> Iterator[Problem]:
    for side, what in enumerate(("first", "second")):
        ports = [pair[side] for pair in pairs]
        for port in dict.fromkeys(port for port in ports if ports.count(port) > 1):
            yield Problem(path, f"{path}: {port} is twice the {what} of a pair.", "Leave one of them out.")


def _filter(path: str, found: Mapping[str, list[str]], *, protocols: bool) -> Iterator[Problem]:
    if all(side in found for side in SIDES):
        yield Problem(
            path, f"Both remote and local of {path} are given, and only one can be.", "Leave one of them out."
        )
    for side in SIDES:
        for text in found.get(side, []):
            try:
                parse_filter(text, protocols=protocols)
            except BadFilter as error:
                yield Problem(f"{path}.{side}", f"{path}.{side}: {text!r}: {error}.", EXAMPLE)


# ---------------------------------------------------------------------------------------------- warnings


def network_warnings(config: Config) -> Iterator[str]:
    """Yield what is right, but has no effect, or another one than its words."""
    network = config.feature.network
    incoming, outgoing, dns = network.incoming, network.outgoing, network.dns
    for name in ("port_mapping", "listen_ports"):
        for first, second in getattr(incoming, name):
            if first == second:
                yield f"{NETWORK}.incoming.{name}: the pair of {first} and {first} has no effect."
    if incoming.ports == [] and incoming.mode != "off":
        yield f"{NETWORK}.incoming.ports is empty: no port is mirrored or stolen."
    yield from _empty(OUTGOING_FILTER, outgoing.filter)
    yield from _empty(DNS_FILTER, dns.filter)
    if outgoing.filter and not (outgoing.tcp or outgoing.udp):
        yield f"{NETWORK}.outgoing.tcp and udp are off: the filter has no effect."
    if dns.filter and not dns.enabled:
        yield f"{NETWORK}.dns is off: its filter has no effect."
    names = _names(outgoing.filter)
    if names and outgoing.filter and outgoing.filter.remote is not None and not dns.enabled:
        yield (
            f"{NETWORK}.dns is off: the names of {OUTGOING_FILTER}.remote are resolved on this machine, and may have"
            " other addresses there than the target's."
        )
    if names and outgoing.filter and dns.filter and _side(outgoing.filter) != _side(dns.filter):
        yield (
            f"{OUTGOING_FILTER} is {_side(outgoing.filter)} and {DNS_FILTER} is {_side(dns.filter)}: the names of the"
            " first are not added to the second."
        )


def _empty(path: str, found: FilterKeys | None) -> Iterator[str]:
    if found and not found.remote and not found.local:
        if found.remote is not None:
            yield f"{path}.remote is empty: nothing is the target's."
        else:
            yield f"{path} is empty: it has no effect."


# ---------------------------------------------------------------------------------------------- rules


def network_rules(config: Config, *, required: bool, debugger_ports: tuple[tuple[int, int], ...] = ()) -> NetworkRules:
    """Return what a session gets of a configuration without mistakes.

    Args:
        config: The configuration.
        required: Whether the user asked for the mode of incoming, so that a session without it is no use.
        debugger_ports: First and last of ranges that debuggers have.
    """
    network = config.feature.network
    incoming, outgoing, dns = network.incoming, network.outgoing, network.dns
    mode = IncomingMode(incoming.mode)
    return NetworkRules(
        names=dns.enabled,
        name_filter=_with_names(_entries(dns.filter, protocols=False), outgoing.filter),
        tcp=outgoing.tcp,
        udp=outgoing.udp,
        ignore_localhost=outgoing.ignore_localhost,
        outgoing_filter=_entries(outgoing.filter, protocols=True),
        unix_streams=tuple(map(translate, outgoing.unix_streams)),
        ipv6=network.ipv6,
        incoming=IncomingRules(
            mode=mode,
            required=required and mode is not IncomingMode.OFF,
            port_mapping=tuple(incoming.port_mapping),
            listen_ports=tuple(incoming.listen_ports),
            ignore_ports=tuple(incoming.ignore_ports),
            ports=None if incoming.ports is None else tuple(incoming.ports),
            ignore_localhost=incoming.ignore_localhost,
            loopback=incoming.loopback,
            reset=config.agent.flush_connections,
        ),
        hostname=config.feature.hostname,
        debugger_ports=debugger_ports,
    )


def _entries(found: FilterKeys | None, *, protocols: bool) -> Filter | None:
    if found is None or (found.remote is None and found.local is None):
        return None
    texts = found.local if found.remote is None else found.remote
    entries = tuple(parse_filter(text, protocols=protocols) for text in texts or ())
    return Filter(remote=found.remote is not None, entries=entries)


def _with_names(names: Filter | None, outgoing: FilterKeys | None) -> Filter | None:
    """Add the outgoing filter's names: a name is resolved on the side that its connections go to."""
    added = [FilterEntry(name=name) for name in _names(outgoing)]
    if not added or outgoing is None:
        return names
    remote = outgoing.remote is not None
    if names is None:
        return Filter(remote=remote, entries=tuple(added))
    if names.remote is not remote:
        return names
    return Filter(remote=remote, entries=tuple(dict.fromkeys((*names.entries, *added))))


def _names(found: FilterKeys | None) -> list[str]:
    texts = (found.remote or found.local or []) if found else []
    return list(dict.fromkeys(filter(None, (parse_filter(text).name for text in texts))))


def _side(found: FilterKeys) -> str:
    return "local" if found.remote is None else "remote"
