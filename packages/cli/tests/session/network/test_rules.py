"""Whose a connection, a listener or a name is."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest

from mirrord_cli.session.network.rules import NetworkDecisions, is_for_many, is_loopback, plain_host
from mirrord_cli.session.settings import Filter, FilterEntry, IncomingMode, IncomingRules, NetworkRules
from mirrord_protocol.network_values import Address


def at(host: str, port: int = 80) -> Address:
    return Address(ip_address(host).packed, port)


def decisions(**rules: Any) -> NetworkDecisions:
    return NetworkDecisions(NetworkRules(**rules))


def incoming(**rules: Any) -> NetworkDecisions:
    return decisions(incoming=IncomingRules(**rules))


def entry(network: str = "", **rest: Any) -> FilterEntry:
    host, _, bits = network.partition("/")
    packed = ip_address(host).packed if host else None
    return FilterEntry(network=(packed, int(bits or len(packed) * 8)) if packed else None, **rest)


def filtered(*entries: FilterEntry, remote: bool = False) -> NetworkDecisions:
    return decisions(outgoing_filter=Filter(remote=remote, entries=entries))


# ---------------------------------------------------------------------------------------------- outgoing


def test_all_goes_out_of_the_target_by_default() -> None:
    for protocol in ("tcp", "udp"):
        assert decisions().outgoing(protocol, at("10.0.0.1")) == at("10.0.0.1")
    assert decisions().outgoing("tcp", at("fd00::1")) == at("fd00::1")
    assert decisions().outgoing("tcp", at("127.0.0.1")) == at("127.0.0.1")


def test_each_protocol_has_its_switch() -> None:
    assert decisions(tcp=False).outgoing("tcp", at("10.0.0.1")) is None
    assert decisions(tcp=False).outgoing("udp", at("10.0.0.1"))
    assert decisions(udp=False).outgoing("udp", at("10.0.0.1")) is None
    assert decisions(udp=False).outgoing("tcp", at("10.0.0.1"))


@pytest.mark.parametrize("host", ["224.0.0.251", "239.1.2.3", "255.255.255.255", "ff02::fb"])
def test_what_is_for_many_stays_here(host: str) -> None:
    assert decisions().outgoing("udp", at(host)) is None


def test_port_0_and_no_address_stay_here() -> None:
    assert decisions().outgoing("tcp", at("10.0.0.1", 0)) is None
    assert decisions().outgoing("tcp", Address(b"", 80)) is None


def test_an_unspecified_address_means_loopback() -> None:
    assert decisions().outgoing("tcp", at("0.0.0.0")) == at("127.0.0.1")
    assert decisions().outgoing("tcp", at("::")) == at("::1")


def test_ipv4_in_ipv6_is_ipv4() -> None:
    assert decisions().outgoing("tcp", at("::ffff:10.0.0.1")) == at("10.0.0.1")
    assert filtered(entry("10.0.0.0/8")).outgoing("tcp", at("::ffff:10.0.0.1")) is None


def test_the_scope_is_kept() -> None:
    address = Address(ip_address("fe80::1").packed, 80, 3)
    assert decisions().outgoing("tcp", address) == address


def test_loopback_of_this_machine() -> None:
    assert decisions().outgoing("tcp", at("127.0.0.1"), own=True) is None
    assert decisions().outgoing("tcp", at("10.0.0.1"), own=True)
    assert decisions(ignore_localhost=True).outgoing("tcp", at("127.3.2.1")) is None
    assert decisions(ignore_localhost=True).outgoing("tcp", at("::1")) is None
    assert decisions(ignore_localhost=True).outgoing("tcp", at("0.0.0.0")) is None
    assert decisions(ignore_localhost=True).outgoing("tcp", at("128.0.0.1"))


def test_debuggers_ports_are_this_machines_on_loopback_only() -> None:
    found = decisions(debugger_ports=((5678, 5678), (6000, 6010)))

    assert found.outgoing("tcp", at("127.0.0.1", 5678)) is None
    assert found.outgoing("tcp", at("::1", 6005)) is None
    assert found.outgoing("tcp", at("127.0.0.1", 5999))
    assert found.outgoing("tcp", at("10.0.0.1", 5678))


def test_debuggers_that_are_found_later() -> None:
    found = decisions(debugger_ports=((5678, 5678),))

    assert [found.add_debugger(port) for port in (5678, 9229, 9229)] == [False, True, False]
    assert found.outgoing("tcp", at("127.0.0.1", 9229)) is None
    assert found.incoming(at("127.0.0.1", 9229)) is None
    assert found.outgoing("tcp", at("127.0.0.1", 9230))


def test_other_rules_take_the_place_of_the_first() -> None:
    found = decisions(unix_streams=("x",))
    found.rules = NetworkRules(incoming=IncomingRules(ports=(80,)))

    assert not found.unix(b"/x")
    assert found.incoming(at("0.0.0.0", 81)) is None


# ---------------------------------------------------------------------------------------------- the filter


def test_a_local_filter_keeps_what_matches() -> None:
    found = filtered(entry("10.0.0.0/9"), entry("fd00::/16"), entry(port=53, protocol="udp"))

    assert found.outgoing("tcp", at("10.127.0.1")) is None
    assert found.outgoing("tcp", at("10.128.0.1"))
    assert found.outgoing("tcp", at("fd00::1")) is None
    assert found.outgoing("tcp", at("fd01::1"))
    assert found.outgoing("udp", at("8.8.8.8", 53)) is None
    assert found.outgoing("tcp", at("8.8.8.8", 53))


def test_a_remote_filter_keeps_the_rest() -> None:
    found = filtered(entry("10.0.0.1", port=80, protocol="tcp"), remote=True)

    assert found.outgoing("tcp", at("10.0.0.1", 80))
    assert found.outgoing("udp", at("10.0.0.1", 80)) is None
    assert found.outgoing("tcp", at("10.0.0.1", 81)) is None
    assert found.outgoing("tcp", at("10.0.0.2", 80)) is None


def test_names_are_compared_as_wholes_and_without_case() -> None:
    found = filtered(entry(name="db.shop", port=5432))

    assert found.outgoing("tcp", at("10.0.0.1", 5432), ["other", "DB.shop."]) is None
    assert found.outgoing("tcp", at("10.0.0.1", 5433), ["db.shop"])
    assert found.outgoing("tcp", at("10.0.0.1", 5432), ["xdb.shop"])
    assert found.outgoing("tcp", at("10.0.0.1", 5432))


def test_localhost_needs_no_lookup() -> None:
    assert filtered(entry(name="localhost")).outgoing("tcp", at("127.0.0.1")) is None
    assert filtered(entry(name="localhost")).outgoing("tcp", at("::1")) is None


def test_names_are_wanted_only_where_they_decide() -> None:
    found = filtered(
        entry(name="a", port=1), entry(name="b", protocol="udp"), entry(name="c"), entry(name="c", port=80),
        entry("10.0.0.0/8"),
    )  # fmt: skip

    assert found.names_to_know("tcp", at("1.1.1.1", 80)) == ("c",)
    assert found.names_to_know("udp", at("1.1.1.1", 1)) == ("a", "b", "c")
    assert found.names_to_know("tcp", at("10.1.1.1", 80)) == ()
    assert decisions().names_to_know("tcp", at("1.1.1.1", 80)) == ()
    assert filtered(entry(name="localhost")).names_to_know("tcp", at("1.1.1.1", 80)) == ()


def test_an_entry_without_a_port_has_all_and_an_empty_one_everything() -> None:
    assert filtered(entry()).outgoing("tcp", at("1.2.3.4", 5)) is None
    assert filtered(remote=True).outgoing("tcp", at("1.2.3.4", 5)) is None


# ---------------------------------------------------------------------------------------------- Unix streams


def test_unix_streams_go_by_pattern() -> None:
    found = decisions(unix_streams=("^/run/db", "bus$", "[[]"))

    assert found.unix(b"/run/db.sock")
    assert found.unix(b"\0session-bus")
    assert found.unix(b"/x/bus\0\0")
    assert decisions(unix_streams=("^@shop$",)).unix(b"\0shop") and decisions(unix_streams=("^shop$",)).unix(b"\0shop")
    assert not decisions(unix_streams=("^@shop$",)).unix(b"shop")
    assert not found.unix(b"/var/run/db.sock")
    assert not found.unix(b"")
    assert decisions(unix_streams=("^.$",)).unix(b"\xff")
    assert not decisions().unix(b"/run/db.sock")


# ---------------------------------------------------------------------------------------------- incoming


def test_a_listener_stands_for_the_same_port() -> None:
    assert incoming().incoming(at("0.0.0.0", 80)) == 80
    assert incoming().incoming(at("127.0.0.1", 80)) == 80
    assert incoming().incoming(at("::", 0)) is None


def test_incoming_is_switched_off() -> None:
    assert incoming(mode=IncomingMode.OFF).incoming(at("0.0.0.0", 80)) is None


def test_mapped_ports() -> None:
    found = incoming(port_mapping=((9333, 80),), ports=(80, 81))

    assert found.incoming(at("0.0.0.0", 9333)) == 80
    assert found.incoming(at("0.0.0.0", 81)) == 81
    assert found.incoming(at("0.0.0.0", 9334)) is None


def test_ignored_ports_are_the_programs() -> None:
    found = incoming(ignore_ports=(9333,), port_mapping=((9333, 80),))

    assert found.incoming(at("0.0.0.0", 9333)) is None
    assert found.incoming(at("0.0.0.0", 80)) == 80


def test_listeners_on_loopback_may_stay_here() -> None:
    found = incoming(ignore_localhost=True)

    assert found.incoming(at("127.0.0.1", 80)) is None
    assert found.incoming(at("::1", 80)) is None
    assert found.incoming(at("::ffff:127.0.0.1", 80)) is None
    assert found.incoming(at("10.0.0.1", 80)) == 80
    assert found.incoming(at("0.0.0.0", 80)) == 80
    assert found.incoming(at("::", 80)) == 80


def test_debuggers_listen_here() -> None:
    found = decisions(debugger_ports=((9229, 9229), (45000, 65535)))

    assert found.incoming(at("0.0.0.0", 9229)) is None
    assert found.incoming(at("127.0.0.1", 50051)) is None
    assert found.incoming(at("0.0.0.0", 50051)) == 50051  # no debugger's, though in the range


def test_ports_to_bind_instead() -> None:
    assert incoming(listen_ports=((80, 4480),)).bound_port(80) == 4480
    assert incoming().bound_port(80) is None


# ---------------------------------------------------------------------------------------------- names


def test_names_are_the_targets_but_for_localhost() -> None:
    assert decisions().name("db")
    assert not decisions().name("LocalHost.")
    assert not decisions(names=False).name("db")


def test_names_by_filter() -> None:
    local = decisions(name_filter=Filter(remote=False, entries=(entry(name="db"), entry(port=443))))
    remote = decisions(name_filter=Filter(remote=True, entries=(entry(name="db"), entry(name="api", port=80))))

    assert not local.name("DB.")
    assert local.name("api")
    assert not local.name("api", 443)
    assert remote.name("db", 5)
    assert not remote.name("api")
    assert remote.name("api", 80)
    assert not remote.name("other")


def test_addresses_names() -> None:
    found = decisions(name_filter=Filter(remote=True, entries=(entry(name="db"), entry("10.0.0.0/8"))))

    assert decisions().reverse(at("10.0.0.1"))
    assert not decisions().reverse(at("127.0.0.1"))
    assert not decisions().reverse(at("::"))
    assert not decisions().reverse(Address(b"", 0))
    assert not decisions(names=False).reverse(at("10.0.0.1"))
    assert found.reverse(at("::ffff:10.0.0.1"))
    assert not found.reverse(at("11.0.0.1"))
    assert found.reverse(at("11.0.0.1"), ["db"])


# ---------------------------------------------------------------------------------------------- addresses


def test_what_addresses_are() -> None:
    assert plain_host(ip_address("::ffff:1.2.3.4").packed) == bytes([1, 2, 3, 4])
    assert is_loopback(ip_address("127.9.9.9").packed) and is_loopback(ip_address("::1").packed)
    assert not is_loopback(ip_address("::2").packed) and not is_loopback(ip_address("1::1").packed)
    assert is_for_many(ip_address("224.0.0.1").packed) and not is_for_many(ip_address("223.0.0.1").packed)
