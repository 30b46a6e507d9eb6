"""Ports that health probes may ask, as far as a target tells: whoever answers there is asked whether the target lives.

A process tells no more than its variables do. Targets that declare their probes will tell more; the warning is the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from mirrord_cli.session.settings import IncomingMode, NetworkRules

KUBERNETES = b"KUBERNETES_SERVICE_HOST"
SPEAKS_OF_PROBES = re.compile(rb"(^|_)(HEALTH|HEALTHZ|HEALTHCHECK|LIVENESS|READINESS|PROBE|PROBES)(_|$)")
PORT = re.compile(rb"(?:.*:)?([0-9]{1,5})(?:/.*)?", re.DOTALL)
URL = re.compile(rb"https?://[^/:]*(?::([0-9]{1,5}))?(?:/.*)?", re.DOTALL)
LARGEST = 0xFFFF


class Probe(Struct, frozen=True):
    """A port of the target that is probed, and how that is known."""

    port: int
    source: str


def probes_of(variables: Mapping[bytes, bytes]) -> tuple[Probe, ...]:
    """Return the probes that a target's variables speak of, one for each port: `HEALTH_PORT=8081` and its like."""
    found: dict[int, Probe] = {}
    for name, value in sorted(variables.items()):
        if SPEAKS_OF_PROBES.search(name.upper()) and (port := _port(name, value)):
            found.setdefault(port, Probe(port, name.decode(errors="replace")))
    return tuple(found.values())


def probe_warnings(rules: NetworkRules, probes: Iterable[Probe], *, kubernetes: bool) -> Iterator[str]:
    """Yield what a person should know of a target's probes before ports are stolen.

    Args:
        rules: What is stolen.
        probes: Those that are known.
        kubernetes: Whether the target runs in Kubernetes, so that there may be more.
    """
    incoming = rules.incoming
    if incoming.mode is not IncomingMode.STEAL or incoming.ports == ():
        return
    programs = {theirs: own for own, theirs in incoming.port_mapping}
    none = True
    for probe in probes:
        own = programs.get(probe.port, probe.port)
        if own in incoming.ignore_ports or (incoming.ports is not None and probe.port not in incoming.ports):
            continue
        none = False
        yield (
            f"Port {probe.port} of the target looks like one that health probes ask ({probe.source}): while the program"
            " listens there it has to answer them. feature.network.incoming.ignore_ports leaves it to the target."
        )
    if kubernetes and none:
        yield (
            "The target runs in Kubernetes, and its probes aren't known here: the program has to answer those that"
            " come to a stolen port."
        )


def _port(name: bytes, value: bytes) -> int:
    if url := URL.fullmatch(value):
        return int(url[1] or 0) if int(url[1] or 0) <= LARGEST else 0
    match = PORT.fullmatch(value) if b"PORT" in name.upper() or b":" in value else None
    return int(match[1]) if match and int(match[1]) <= LARGEST else 0
