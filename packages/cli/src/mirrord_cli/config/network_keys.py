"""The part of the definition that is `feature.network`; keys.py has the rest, and says what is made of it.

What the values mean together is checked in network.py.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Struct

from mirrord_cli.config.key import note

IncomingMode = Literal["mirror", "steal", "off"]
Port = int
"""1 to 65535."""

_ENTRIES = (
    " Each is a name, an address or a subnet, with a port behind a colon and `tcp://` or `udp://` in front where only"
    " those are meant; an address of IPv6 with a port is in brackets."
)


class Incoming(Struct, kw_only=True, frozen=True):
    mode: Annotated[
        IncomingMode,
        note(
            "What happens to connections to a TCP port of the target on which the program listens."
            " `mirror`: the target answers, the program gets a copy. `steal`: the program answers. `off`: nothing."
            " The variable may also say `true` for `steal` and `false` for `off`; the option says `steal`.",
            variable="MIRRORD_AGENT_TCP_STEAL_TRAFFIC",
            option=("--steal",),
            says="steal",
        ),
    ] = "mirror"
    port_mapping: Annotated[
        list[tuple[Port, Port]],
        note("Pairs of a port on which the program listens, and the target's port that it stands for."),
    ] = []
    listen_ports: Annotated[
        list[tuple[Port, Port]],
        note("Pairs of a port on which the program listens, and the port of this machine to listen on in its place."),
    ] = []
    ignore_ports: Annotated[
        list[Port],
        note("Ports of the program that are this machine's alone; not together with `ports`."),
    ] = []
    ports: Annotated[
        list[Port] | None,
        note("Only these ports of the target are mirrored or stolen; without the key, all."),
    ] = None
    ignore_localhost: Annotated[
        bool, note("What the program listens on at a loopback address is this machine's alone.")
    ] = False
    loopback: Annotated[bool, note("Connections from inside the target itself are mirrored or stolen too.")] = True


class Filter(Struct, kw_only=True, frozen=True):
    remote: Annotated[
        list[str] | None,
        note("What matches one of these is the target's, all else this machine's; not together with `local`."),
    ] = None
    local: Annotated[
        list[str] | None,
        note("What matches one of these is this machine's, all else the target's."),
    ] = None


class Outgoing(Struct, kw_only=True, frozen=True):
    tcp: Annotated[
        bool,
        note(
            "TCP connections leave from the target.",
            variable="MIRRORD_TCP_OUTGOING",
            option=("--no-tcp-outgoing",),
            says="false",
        ),
    ] = True
    udp: Annotated[
        bool,
        note(
            "Datagrams of UDP leave from the target.",
            variable="MIRRORD_UDP_OUTGOING",
            option=("--no-udp-outgoing",),
            says="false",
        ),
    ] = True
    ignore_localhost: Annotated[
        bool, note("Connections to loopback stay on this machine; else they go to the target's.")
    ] = False
    filter: Annotated[Filter | None, note("Destinations that go another way than the rest." + _ENTRIES)] = None
    unix_streams: Annotated[
        list[str],
        note(
            "Patterns of Unix sockets (paths, or abstract names) that are connected to in the target.",
            variable="MIRRORD_OUTGOING_REMOTE_UNIX_STREAMS",
            whole=True,
        ),
    ] = []


class Dns(Struct, kw_only=True, frozen=True):
    enabled: Annotated[
        bool,
        note(
            "Names are resolved by the target.",
            variable="MIRRORD_REMOTE_DNS",
            option=("--no-remote-dns",),
            says="false",
        ),
    ] = True
    filter: Annotated[
        Filter | None,
        note(
            "Names that are resolved another way than the rest, as in the filter of `outgoing`, whose names are"
            " added to the same side. A port is that of the service asked for with the name."
        ),
    ] = None


class Network(Struct, kw_only=True, frozen=True):
    incoming: Annotated[
        Incoming,
        note("Connections to the target. `false` means the mode `off`; a mode alone may stand here.",
             shorthand=("switch", "mode")),
    ] = Incoming()  # fmt: skip
    outgoing: Annotated[
        Outgoing,
        note(
            "The program's connections. `false` keeps TCP and UDP on this machine, and so does the option.",
            option=("--no-outgoing",),
            says="false",
            shorthand=("switch",),
        ),
    ] = Outgoing()
    dns: Annotated[
        Dns, note("Names. `false` resolves them on this machine.", shorthand=("switch",))
    ] = Dns()  # fmt: skip
    ipv6: Annotated[
        bool,
        note("The program may have sockets of IPv6; else `socket` fails with EAFNOSUPPORT.", variable="MIRRORD_ENABLE_IPV6"),
    ] = True  # fmt: skip
