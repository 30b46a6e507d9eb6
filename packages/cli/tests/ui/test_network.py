"""The network in the summary."""

from __future__ import annotations

from typing import Any

import pytest

from mirrord_cli.session.settings import Filter, FilterEntry, IncomingMode, IncomingRules, NetworkRules
from mirrord_cli.ui.network import network_rows

LOCAL = Filter(remote=False, entries=(FilterEntry(name="db"),))
REMOTE = Filter(remote=True, entries=(FilterEntry(name="db"),))
COPY = "mirrored: the target answers, the program gets a copy on "


def rows(**rules: Any) -> dict[str, str]:
    return network_rows(NetworkRules(**rules))


def test_by_default() -> None:
    assert rows() == {
        "names": "resolved by the target",
        "outgoing": "leaves from the target",
        "incoming": COPY + "the ports that the program listens on",
    }


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        ({"names": False}, "resolved on this machine"),
        (
            {"name_filter": LOCAL},
            "resolved by the target; on this machine what the filter of feature.network.dns names",
        ),
        (
            {"name_filter": REMOTE},
            "resolved on this machine; by the target what the filter of feature.network.dns names",
        ),
        ({"name_filter": Filter(remote=True, entries=())}, "resolved on this machine"),
        ({"name_filter": Filter(remote=False, entries=())}, "resolved by the target"),
    ],
)
def test_names(rules: dict[str, Any], text: str) -> None:
    assert rows(**rules)["names"] == text


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        ({"tcp": False, "udp": False, "ignore_localhost": True}, "leaves from this machine"),
        ({"udp": False}, "TCP leaves from the target; UDP leaves from this machine"),
        ({"tcp": False}, "UDP leaves from the target; TCP leaves from this machine"),
        ({"ignore_localhost": True}, "leaves from the target; loopback is this machine's"),
        ({"unix_streams": ("x",)}, "leaves from the target; Unix sockets by pattern from the target"),
        (
            {"outgoing_filter": REMOTE},
            "leaves from this machine; from the target what the filter of feature.network.outgoing names",
        ),
    ],
)
def test_outgoing(rules: dict[str, Any], text: str) -> None:
    assert rows(**rules)["outgoing"] == text


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        ({"mode": IncomingMode.OFF}, "stays the target's"),
        ({"ports": ()}, "stays the target's"),
        ({"mode": IncomingMode.STEAL, "ports": (80,)}, "stolen: the program answers on port 80 while the program listens there"),
        ({"ports": (80, 81, 82)}, COPY + "ports 80, 81 and 82 while the program listens there"),
        ({"ignore_ports": (9000,)}, COPY + "the ports that the program listens on, but for its port 9000"),
    ],
)  # fmt: skip
def test_incoming(rules: dict[str, Any], text: str) -> None:
    assert rows(incoming=IncomingRules(**rules))["incoming"] == text


def test_debuggers() -> None:
    assert rows(debugger_ports=((5678, 5678),))["debugger"] == "port 5678 of loopback stays this machine's"
    assert rows(debugger_ports=((1, 2),))["debugger"] == "ports 1-2 of loopback stay this machine's"
    assert rows(debugger_ports=((1, 1), (2, 2)))["debugger"] == "ports 1 and 2 of loopback stay this machine's"
