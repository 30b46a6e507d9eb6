"""What a person is told of the network when the program starts: which part of it is the target's, in a few words."""

from __future__ import annotations

from collections.abc import Sequence

from mirrord_cli.session.settings import Filter, IncomingMode, IncomingRules, NetworkRules


def network_rows(rules: NetworkRules) -> dict[str, str]:
    """Return the summary's rows, by their names."""
    rows = {"names": _names(rules), "outgoing": _outgoing(rules), "incoming": _incoming(rules.incoming)}
    if rules.debugger_ports:
        ranges = [str(first) if first == last else f"{first}-{last}" for first, last in rules.debugger_ports]
        rows["debugger"] = f"{_ports(ranges)} of loopback {_verb(ranges, 'stays', 'stay')} this machine's"
    return rows


def _names(rules: NetworkRules) -> str:
    if not rules.names:
        return "resolved on this machine"
    return f"resolved {_sides('by the target', 'on this machine', rules.name_filter, 'feature.network.dns')}"


def _outgoing(rules: NetworkRules) -> str:
    here, there = "from this machine", "from the target"
    if not (rules.tcp or rules.udp):
        text = f"leaves {here}"
    elif not (rules.tcp and rules.udp):
        remote, local = ("TCP", "UDP") if rules.tcp else ("UDP", "TCP")
        text = f"{remote} leaves {_sides(there, here, rules.outgoing_filter, 'feature.network.outgoing')}; {local} leaves {here}"
    else:
        text = f"leaves {_sides(there, here, rules.outgoing_filter, 'feature.network.outgoing')}"
    if rules.ignore_localhost and (rules.tcp or rules.udp):
        text += "; loopback is this machine's"
    if rules.unix_streams:
        text += "; Unix sockets by pattern from the target"
    return text


def _sides(there: str, here: str, found: Filter | None, section: str) -> str:
    if found is None or (not found.entries and not found.remote):
        return there
    if not found.entries:
        return here
    most, rest = (here, there) if found.remote else (there, here)
    return f"{most}; {rest} what the filter of {section} names"


def _incoming(rules: IncomingRules) -> str:
    if rules.mode is IncomingMode.OFF or rules.ports == ():
        return "stays the target's"
    where = "on the ports that the program listens on"
    if rules.ports is not None:
        where = f"on {_ports([str(port) for port in rules.ports])} while the program listens there"
    if rules.ignore_ports:
        where += f", but for its {_ports([str(port) for port in rules.ignore_ports])}"
    if rules.mode is IncomingMode.STEAL:
        return f"stolen: the program answers {where}"
    return f"mirrored: the target answers, the program gets a copy {where}"


def _ports(texts: Sequence[str]) -> str:
    *first, last = texts
    return f"ports {', '.join(first)} and {last}" if first else f"{_verb(texts, 'port', 'ports')} {last}"


def _verb(texts: Sequence[str], one: str, several: str) -> str:
    return one if len(texts) == 1 and "-" not in texts[0] else several
