"""Questions about sockets, from a layer's bytes to the part that answers them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrord_cli.session.network.actions import AddPeer, Carry, Dial, Family, Join, TryBind, WantPort, WatchDatagrams
from mirrord_cli.session.settings import Filter, FilterEntry, IncomingMode, IncomingRules, NetworkRules
from mirrord_cli.session.table import NetworkFlag
from mirrord_protocol.layer_values import LayerOperation
from mirrord_protocol.network_values import NameOutcome, Resolve, Resolved, UnixAddress
from session_network import (
    DATAGRAM,
    IPV6,
    IPV6_ONLY,
    NON_BLOCKING,
    UNIX,
    NetworkScript,
    at,
    packed,
    unpacked,
)

CONNECT, LISTEN, BIND, SEND = (
    LayerOperation.CONNECT, LayerOperation.LISTEN, LayerOperation.BIND, LayerOperation.SEND,
)  # fmt: skip
DESCRIBE, OUTCOME, CONNECTING = LayerOperation.DESCRIBE, LayerOperation.OUTCOME, LayerOperation.CONNECTING
TO, OWN = at("10.0.0.7:80"), at("127.0.0.1:4000")
STEAL = IncomingRules(mode=IncomingMode.STEAL)


def test_connects() -> None:
    script = NetworkScript()
    script.say(CONNECT, TO, inode=7, length=1_500_000)
    assert script.take(Dial) == Dial(1, 1, 7, TO, Family.IPV4, waits=True, timeout=1.5)
    script.say(CONNECT, at("[::ffff:10.0.0.7]:80"), inode=8, flags=IPV6 | NON_BLOCKING)
    assert script.take(Dial) == Dial(2, 2, 8, TO, Family.MAPPED, waits=False)
    script.say(CONNECT, at("0.0.0.0:80"), inode=9)
    assert script.take(Dial).to == at("127.0.0.1:80")
    channel = script.say(CONNECTING, OWN, inode=8)
    assert (script.fate(channel), script.take(Join)) == ("done", Join(2, OWN))
    assert script.fate(script.ask(OUTCOME, inode=8)) == "EINPROGRESS"
    assert script.fate(script.ask(OUTCOME, inode=99)) == "local"


def test_datagrams() -> None:
    script = NetworkScript()
    script.say(CONNECT, at("[fd00::1]:53"), inode=7, flags=IPV6 | DATAGRAM)
    assert script.take(Carry) == Carry(1, 7, Family.MAPPED, at("[fd00::1]:53"), ipv6=True)
    channel = script.say(SEND, at("[::]:4000"), at("[::ffff:10.0.0.53]:53"), inode=8, flags=IPV6 | DATAGRAM)
    assert script.take(Carry).to is None
    assert script.take(AddPeer) == AddPeer(2, at("10.0.0.53:53"))
    script.tell_network(script.network.datagrams.peered, 2, at("10.0.0.53:53"), 9000)
    assert unpacked(script.payload(channel)) == ("[::ffff:127.0.0.1]:9000",)
    peer = at("[::ffff:127.0.0.1]:9000")
    channel = script.say(DESCRIBE, at("[::]:4000"), peer, inode=8)
    assert unpacked(script.payload(channel)) == ("[::]:4000", "[::ffff:10.0.0.53]:53")
    assert script.fate(script.say(SEND, OWN, at("239.0.0.1:53"), flags=DATAGRAM)) == "local"


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]"])
def test_datagrams_to_a_socket_of_ours_stay_here(host: str) -> None:
    script = NetworkScript()
    assert script.fate(script.say(LISTEN, at("0.0.0.0:5000"), inode=7, flags=DATAGRAM)) == "done"
    script.take(WatchDatagrams)
    assert script.fate(script.say(CONNECT, at(f"{host}:5000"), inode=8, flags=DATAGRAM)) == "local"
    assert script.fate(script.say(SEND, OWN, at(f"{host}:5000"), inode=9, flags=DATAGRAM)) == "local"
    assert script.fate(script.say(SEND, at("0.0.0.0:5000"), OWN, inode=7, flags=DATAGRAM)) == "local"  # the answer
    script.say(CONNECT, at(f"{host}:5001"), inode=8, flags=DATAGRAM)
    script.take(Carry)
    script.say(CONNECT, at(f"{host}:5000"), inode=8)
    script.take(Dial)
    for _ in range(2):
        script.tell_network(script.network.near.looked, frozenset[int]())
    script.say(SEND, OWN, at(f"{host}:5000"), inode=9, flags=DATAGRAM)
    script.take(Carry)


def test_unix_streams() -> None:
    script = NetworkScript(NetworkRules(unix_streams=("^/run/shop", "^hidden")))
    for path, remote in ((b"/run/shop.sock", True), (b"\0hidden", True), (b"/run/other", False)):
        channel = script.ask(CONNECT, path, inode=7, flags=UNIX | NON_BLOCKING)
        if remote:
            dial = script.take(Dial)
            assert (dial.to, dial.family, dial.waits) == (UnixAddress(path), Family.UNIX, True)
            assert script.payload(script.ask(DESCRIBE, inode=7, flags=UNIX)) == path
        else:
            assert script.fate(channel) == "local"
    assert script.fate(script.ask(CONNECT, b"", flags=UNIX)) == "EINVAL"
    assert script.fate(script.ask(DESCRIBE, inode=8, flags=UNIX)) == "local"


def test_what_stays_here() -> None:
    script = NetworkScript(NetworkRules(debugger_ports=((5678, 5680), (70000, 70001)), udp=False))
    local = [at("127.0.0.1:5679"), at("10.0.0.7:0"), at("255.255.255.255:80")]
    assert [script.fate(script.say(CONNECT, to)) for to in local] == ["local"] * 3
    assert script.fate(script.say(CONNECT, TO, flags=DATAGRAM)) == "local"
    assert script.bits.own == {5678, 5679, 5680}
    assert script.bits.flags == NetworkFlag.UDP_LOCAL | NetworkFlag.UNIX_LOCAL


def test_a_listener_of_ours_is_reached_here() -> None:
    script = NetworkScript(NetworkRules(incoming=STEAL))
    channel = script.say(LISTEN, at("0.0.0.0:8080"), inode=7)
    assert script.take(WantPort).port == 8080
    script.tell_network(script.network.incoming.subscribed, 8080)
    assert script.fate(channel) == "done"
    assert script.fate(script.say(CONNECT, at("127.0.0.1:8080"))) == "local"
    script.say(CONNECT, at("10.0.0.7:8080"), inode=8)
    script.take(Dial)
    script.say(CONNECT, at("127.0.0.1:8081"), inode=9)
    script.take(Dial)


def test_a_listener_that_was_moved() -> None:
    script = NetworkScript(NetworkRules(incoming=STEAL))
    channel = script.say(BIND, at("[::]:8080"), flags=IPV6)
    action = script.take(TryBind)
    assert (action.datagram, action.ipv6_only) == (False, False)
    script.tell_network(script.network.binding.tried, action.bind, at("[::]:41000"))
    assert unpacked(script.payload(channel)) == ("[::]:41000",)
    channel = script.say(LISTEN, at("[::]:41000"), inode=7, flags=IPV6)
    assert script.take(WantPort).port == 8080
    script.tell_network(script.network.incoming.subscribed, 8080)
    assert b"port 8080 is port 41000" in script.payload(channel)

    channel = script.say(CONNECT, at("127.0.0.1:8080"))
    assert (script.fate(channel), unpacked(script.payload(channel))) == ("local", ("127.0.0.1:41000",))
    channel = script.say(DESCRIBE, at("[::]:41000"), at("0.0.0.0:0").__class__(b"", 0))
    assert unpacked(script.payload(channel)[:24]) == ("[::]:8080",)
    assert script.fate(script.say(LISTEN, at("[::]:0"), flags=IPV6 | IPV6_ONLY)) == "local"


def test_names_decide() -> None:
    """The target is asked whether an address is a name's that the filter speaks of."""
    names = Filter(remote=True, entries=(FilterEntry(name="db.shop"),))
    script = NetworkScript(NetworkRules(outgoing_filter=names))
    channel = script.say(CONNECT, TO, inode=7)
    [ask] = script.asks
    assert isinstance(ask.request, Resolve) and ask.request.name == b"db.shop"
    script.tell(Resolved(outcome=NameOutcome.FOUND, addresses=(at("10.0.0.7:0"),), lifetime=1000))
    assert script.take(Dial).channel == channel

    assert script.fate(script.say(CONNECT, at("10.0.0.8:80"))) == "local"


def test_the_agent_goes() -> None:
    script = NetworkScript(NetworkRules(incoming=STEAL))
    channels = [
        script.say(CONNECT, TO, inode=1),
        script.say(CONNECT, TO, inode=2, flags=DATAGRAM),
        script.say(LISTEN, at("0.0.0.0:8080"), inode=3),
    ]
    script.do(script.machine.lost("it is gone"))

    assert list(map(script.fate, channels)) == ["ENETDOWN", "ENETDOWN", "local"]
    assert script.fate(script.say(CONNECT, TO, inode=4)) == "ENETDOWN"


@pytest.mark.parametrize("operation", [CONNECT, CONNECTING, LISTEN, BIND, SEND, DESCRIBE])
@given(payload=st.binary(max_size=60), flags=st.integers(0, 63), inode=st.integers(0, 2**64 - 1))
def test_garbage(operation: LayerOperation, payload: bytes, flags: int, inode: int) -> None:
    script = NetworkScript(NetworkRules(unix_streams=("x",)))
    channel = script.ask(operation, payload, flags=flags, inode=inode, length=inode)
    if channel in script.answers:
        assert script.fate(channel) in {"EINVAL", "local", "done"}
    else:
        assert script.wanted()


def test_strange_addresses() -> None:
    script = NetworkScript()
    for operation in (CONNECT, BIND, LISTEN, CONNECTING):
        assert script.fate(script.ask(operation, bytes(24))) == "EINVAL"
    assert script.fate(script.ask(SEND, bytes(48))) == "EINVAL"
    assert script.fate(script.ask(DESCRIBE, bytes(48))) == "EINVAL"
    assert script.fate(script.say(SEND, at("0.0.0.0:0"), TO)) == "EINVAL"
    assert script.fate(script.ask(DESCRIBE, packed(OWN, TO))) == "local"
