"""Hosts files as they are found on real machines."""

from __future__ import annotations

from mirrord_agent.names.hosts.machine import LOOPBACK4, LOOPBACK6, Entry, parse_hosts
from mirrord_protocol.network_values import Families

BOTH = Families.IPV4 | Families.IPV6
KUBERNETES = b"""\
# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
10.244.1.7\tshop-5d4f.shops.svc.cluster.local\tshop-5d4f

# Entries added by HostAliases.
10.1.2.3\tfoo.remote\tBar.remote
10.1.2.4\tbar.remote
"""


def test_kubernetes() -> None:
    hosts = parse_hosts(KUBERNETES)
    assert hosts.find(b"localhost", BOTH) == Entry(
        (LOOPBACK4, LOOPBACK6), b"localhost", (b"ip6-localhost", b"ip6-loopback")
    )
    assert hosts.find(b"shop-5d4f", BOTH) == Entry(
        (bytes([10, 244, 1, 7]),), b"shop-5d4f.shops.svc.cluster.local", (b"shop-5d4f",)
    )
    assert hosts.find(b"BAR.REMOTE", BOTH) == Entry(
        (bytes([10, 1, 2, 3]), bytes([10, 1, 2, 4])), b"foo.remote", (b"Bar.remote", b"bar.remote")
    )
    assert hosts.find(b"nothing", BOTH) is None
    assert hosts.find(b"foo.remote", Families.IPV6) is None


def test_families() -> None:
    hosts = parse_hosts(b"::1 six\n::ffff:10.0.0.1 mapped\n10.0.0.2 both first\nfd00::2 both second\n")
    assert hosts.find(b"six", Families.IPV4) == Entry((LOOPBACK4,), b"six", ())  # as glibc does
    assert hosts.find(b"mapped", Families.IPV4) == Entry((bytes([10, 0, 0, 1]),), b"mapped", ())
    assert hosts.find(b"second", Families.IPV4) is None
    found = hosts.find(b"both", Families.IPV6)
    assert found and (found.name, found.aliases) == (b"both", (b"second",))


def test_lines_that_make_no_sense() -> None:
    hosts = parse_hosts(
        b"10.0.0.1\n#10.0.0.2 commented\n10.1 short\nten name\n10.0.0.3 a#b c\n\xff\xff name\n1.2.3.4 same same\n"
    )
    assert set(hosts.by_name) == {b"a", b"same"}
    assert len(hosts.by_name[b"same"]) == 1


def test_by_address() -> None:
    hosts = parse_hosts(KUBERNETES + b"127.0.0.1 later\n")
    assert hosts.by_host[LOOPBACK4].name == b"localhost"
    assert hosts.by_host[LOOPBACK6].aliases == (b"ip6-localhost", b"ip6-loopback")
