"""What container runtimes say where a port can't be had."""

from __future__ import annotations

import pytest

from mirrord_cli.session.forward.events import MOST_SAID, Ended, Event, Unheard, failure_of

CONTAINERD = (
    b"error forwarding port 30000 to pod ab, uid : failed to execute portforward in network namespace "
    b'"/var/run/netns/cni": failed to dial 30000: dial tcp4 127.0.0.1:30000: connect: connection refused'
)
CRIO = (
    b'failed to connect to localhost:30000 inside namespace "x", IPv4: dial tcp4 127.0.0.1:30000: connect: '
    b"connection refused IPv6 dial tcp6: address localhost: no suitable address found"
)
SOCAT = b"exit status 1: 2026/01/01 socat[9] E connect(5, AF=2 127.0.0.1:30000, 16): Connection refused"


@pytest.mark.parametrize(
    ("said", "event"),
    [
        (CONTAINERD, Unheard()),
        (CRIO, Unheard()),
        (SOCAT, Unheard()),
        (b"network namespace is closed\nmore", Ended("network namespace is closed")),
        (b" \n", Ended("the cluster doesn't say why")),
        (b"\xff" * 100_000, Ended("\ufffd" * MOST_SAID)),
    ],
)
def test_failures(said: bytes, event: Event) -> None:
    assert failure_of(said) == event
