"""The network's part of the definition has mirrord's names and defaults."""

from __future__ import annotations

from mirrord_cli.config.key import keys_below
from mirrord_cli.config.network_keys import Network


def test_defaults() -> None:
    found = {key.path: key.default for key in keys_below(Network) if key.section is None}

    assert found == {
        "incoming.mode": "mirror",
        "incoming.port_mapping": [],
        "incoming.listen_ports": [],
        "incoming.ignore_ports": [],
        "incoming.ports": None,
        "incoming.ignore_localhost": False,
        "incoming.loopback": True,
        "outgoing.tcp": True,
        "outgoing.udp": True,
        "outgoing.ignore_localhost": False,
        "outgoing.filter.remote": None,
        "outgoing.filter.local": None,
        "outgoing.unix_streams": [],
        "dns.enabled": True,
        "dns.filter.remote": None,
        "dns.filter.local": None,
        "ipv6": True,
    }


def test_variables_and_options() -> None:
    found = {key.path: (key.variable, key.option) for key in keys_below(Network) if key.variable or key.option}

    assert found == {
        "incoming.mode": ("MIRRORD_AGENT_TCP_STEAL_TRAFFIC", ("--steal",)),
        "outgoing": ("", ("--no-outgoing",)),
        "outgoing.tcp": ("MIRRORD_TCP_OUTGOING", ("--no-tcp-outgoing",)),
        "outgoing.udp": ("MIRRORD_UDP_OUTGOING", ("--no-udp-outgoing",)),
        "outgoing.unix_streams": ("MIRRORD_OUTGOING_REMOTE_UNIX_STREAMS", ()),
        "dns.enabled": ("MIRRORD_REMOTE_DNS", ("--no-remote-dns",)),
        "ipv6": ("MIRRORD_ENABLE_IPV6", ()),
    }
