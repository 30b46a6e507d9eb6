"""The network's keys together: mistakes, warnings, and what the session gets."""

from __future__ import annotations

from typing import Any

import pytest

from mirrord_cli.config.resolve import Resolved, resolve, said_of
from mirrord_cli.session.settings import Filter, FilterEntry, IncomingMode, IncomingRules, NetworkRules


def tree(network: Any) -> Any:
    return {"feature": {"network": network}}


def resolved(network: Any, options: dict[str, str] | None = None, **variables: str) -> Resolved:
    found = resolve(tree(network), said_of(options or {}, variables), variables)
    assert found.resolved, found.problems
    return found.resolved


def rules(network: Any, options: dict[str, str] | None = None, **variables: str) -> NetworkRules:
    return resolved(network, options, **variables).network


def problems(network: Any, **variables: str) -> list[str]:
    found = resolve(tree(network), said_of({}, variables), variables)
    assert found.resolved is None
    return [problem.text for problem in found.problems]


def warnings(network: Any) -> tuple[str, ...]:
    return resolved(network).warnings


# ---------------------------------------------------------------------------------------------- rules


def test_nothing_said_is_everything_remote() -> None:
    assert rules({}) == NetworkRules()
    assert resolved({}).warnings == ()


def test_off() -> None:
    found = rules(False)
    assert (found.names, found.tcp, found.udp, found.incoming.mode) == (False, False, False, IncomingMode.OFF)
    assert not found.incoming.required


def test_what_was_switched_off_heeds_its_variables() -> None:
    found = rules(False, MIRRORD_AGENT_TCP_STEAL_TRAFFIC="true", MIRRORD_REMOTE_DNS="1", MIRRORD_UDP_OUTGOING="true")

    assert (found.names, found.tcp, found.udp, found.incoming.mode) == (True, False, True, IncomingMode.STEAL)
    assert rules({}, {"feature.network.incoming.mode": "steal"}, MIRRORD_AGENT_TCP_STEAL_TRAFFIC="off").incoming == (
        IncomingRules(mode=IncomingMode.STEAL, required=True)
    )


def test_everything_said() -> None:
    config = {
        "agent": {"flush_connections": False},
        "feature": {
            "hostname": False,
            "network": {
                "incoming": {
                    "mode": "steal", "port_mapping": [[9333, 80]], "listen_ports": [[80, 4480]], "ports": [80],
                    "ignore_localhost": True, "loopback": False,
                },
                "outgoing": {
                    "udp": False, "ignore_localhost": True, "unix_streams": "(?<x>bear)",
                    "filter": {"remote": ["tcp://10.0.0.0/8:80"]},
                },
                "dns": {"filter": {"local": ["db"]}},
                "ipv6": False,
            },
        },
    }  # fmt: skip
    found = resolve(config, {}, {}).resolved

    assert found and found.warnings == ()
    assert found.network == NetworkRules(
        name_filter=Filter(remote=False, entries=(FilterEntry(name="db"),)),
        udp=False,
        ignore_localhost=True,
        outgoing_filter=Filter(
            remote=True, entries=(FilterEntry(protocol="tcp", network=(b"\n\0\0\0", 8), port=80),)
        ),
        unix_streams=("(?P<x>bear)",),
        ipv6=False,
        incoming=IncomingRules(
            mode=IncomingMode.STEAL, required=True, port_mapping=((9333, 80),), listen_ports=((80, 4480),),
            ports=(80,), ignore_localhost=True, loopback=False, reset=False,
        ),
        hostname=False,
    )  # fmt: skip


def test_a_mode_that_was_asked_for_is_required() -> None:
    assert rules({"incoming": "mirror"}).incoming.required
    assert rules({}, MIRRORD_AGENT_TCP_STEAL_TRAFFIC="mirror").incoming.required
    assert not rules({"incoming": True}).incoming.required
    assert not rules({"incoming": {"ports": [80]}}).incoming.required
    assert not rules({"incoming": "off"}).incoming.required


def names(found: NetworkRules) -> tuple[bool, list[str]] | None:
    by = found.name_filter
    return (by.remote, [entry.name for entry in by.entries]) if by else None


def test_names_are_resolved_on_the_side_that_their_connections_go_to() -> None:
    local, remote = {"local": ["tcp://db:80", "10.0.0.1", "db:81", ":53"]}, {"remote": "db"}

    assert names(rules({"outgoing": {"filter": local}})) == (False, ["db"])
    assert names(rules({"outgoing": {"filter": remote}})) == (True, ["db"])
    assert names(rules({"outgoing": {"filter": local}, "dns": {"filter": {"local": ["a", "db"]}}})) == (
        False,
        ["a", "db"],
    )
    assert names(rules({"outgoing": {"filter": local}, "dns": {"filter": {"remote": "a"}}})) == (True, ["a"])
    assert names(rules({"outgoing": {"filter": {"local": ["10.0.0.1"]}}})) is None


def test_an_empty_filter_keeps_its_meaning() -> None:
    assert rules({"outgoing": {"filter": {}}}).outgoing_filter is None
    assert rules({"outgoing": {"filter": {"remote": []}}}).outgoing_filter == Filter(remote=True, entries=())
    assert rules({"dns": {"filter": {"local": []}}}).name_filter == Filter(remote=False, entries=())


# ---------------------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("network", "said"),
    [
        ({"incoming": {"ports": [1], "ignore_ports": [2]}}, "Both ports and ignore_ports of feature.network.incoming"),
        ({"incoming": {"port_mapping": [[1, 2], [1, 3]]}}, "port_mapping: 1 is twice the first of a pair."),
        ({"incoming": {"port_mapping": [[1, 3], [2, 3]]}}, "port_mapping: 3 is twice the second of a pair."),
        ({"incoming": {"listen_ports": [[1, 3], [2, 3]]}}, "listen_ports: 3 is twice the second of a pair."),
        (
            {"outgoing": {"filter": {"local": ["a"], "remote": ["b"]}}},
            "Both remote and local of feature.network.outgoing",
        ),
        ({"dns": {"filter": {"local": ["a"], "remote": []}}}, "Both remote and local of feature.network.dns.filter"),
        ({"outgoing": {"filter": {"local": ["x://y"]}}}, "outgoing.filter.local: 'x://y': the protocol 'x' is"),
        ({"dns": {"filter": {"remote": ["tcp://y"]}}}, "dns.filter.remote: 'tcp://y': a name is looked up before"),
        ({"outgoing": {"unix_streams": ["("]}}, "unix_streams: the pattern '(' is no regular expression"),
    ],
)
def test_mistakes(network: Any, said: str) -> None:
    (problem,) = problems(network)
    assert said in problem


def test_ports_beside_an_empty_list_are_right() -> None:
    assert rules({"incoming": {"ports": [1], "ignore_ports": []}}).incoming.ports == (1,)


def test_filters_of_requests_are_refused_while_they_would_matter() -> None:
    (problem,) = problems({}, MIRRORD_HTTP_HEADER_FILTER="x: y")
    assert problem.startswith(
        "The variable MIRRORD_HTTP_HEADER_FILTER is set, but filters of HTTP requests are not supported"
    )
    assert rules({"incoming": False}, MIRRORD_HTTP_HEADER_FILTER="x: y").incoming.mode is IncomingMode.OFF
    assert rules({}, MIRRORD_HTTP_HEADER_FILTER="") == NetworkRules()


# ---------------------------------------------------------------------------------------------- warnings


@pytest.mark.parametrize(
    ("network", "said"),
    [
        ({"incoming": {"port_mapping": [[1, 1]]}}, "port_mapping: the pair of 1 and 1 has no effect."),
        ({"incoming": {"listen_ports": [[1, 1]]}}, "listen_ports: the pair of 1 and 1 has no effect."),
        ({"incoming": {"ports": []}}, "ports is empty: no port is mirrored or stolen."),
        ({"outgoing": {"filter": {"remote": []}}}, "outgoing.filter.remote is empty: nothing is the target's."),
        ({"outgoing": {"filter": {"local": []}}}, "outgoing.filter is empty: it has no effect."),
        ({"dns": {"filter": {}}}, "dns.filter is empty: it has no effect."),
        ({"outgoing": {"tcp": False, "udp": False, "filter": {"local": ":1"}}}, "are off: the filter has no effect."),
        (
            {"dns": {"enabled": False, "filter": {"local": "a"}}},
            "feature.network.dns is off: its filter has no effect.",
        ),
        ({"outgoing": {"filter": {"remote": "db"}}, "dns": False}, "are resolved on this machine, and may have"),
        (
            {"outgoing": {"filter": {"remote": "db"}}, "dns": {"filter": {"local": "a"}}},
            "feature.network.outgoing.filter is remote and feature.network.dns.filter is local",
        ),
    ],
)
def test_warnings(network: Any, said: str) -> None:
    (warning,) = warnings(network)
    assert said in warning
