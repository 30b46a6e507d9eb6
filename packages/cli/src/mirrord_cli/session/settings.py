"""What the command line decided for a session, as plain values. The session never looks behind them.

commands/exec.py makes them, launch/ hands them over; both processes are one program until then, so nothing is encoded.
"""

from __future__ import annotations

import enum
from collections.abc import Collection
from dataclasses import dataclass, replace


class Mode(enum.Enum):
    """`feature.fs.mode`: where a path belongs that no pattern speaks of."""

    LOCAL = "local"
    LOCAL_WITH_OVERRIDES = "localwithoverrides"
    READ = "read"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRules:
    """Which side serves a path. Patterns are as the user wrote them, and were compiled once to see that they can be."""

    mode: Mode = Mode.READ
    read_only: tuple[str, ...] = ()
    local: tuple[str, ...] = ()
    not_found: tuple[str, ...] = ()
    mapping: tuple[tuple[str, str], ...] = ()
    """Pattern and replacement (`$1`, `${name}`), in the order of the file."""
    home: bytes
    """The developer's home, absolute and clean; so are the next three."""
    working_directory: bytes
    temporary: bytes
    executable: bytes
    """The program's own file."""
    installations: tuple[bytes, ...] = ()
    """Folders of this machine's programs and of what was installed with them; absolute and clean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentRules:
    """Which of the target's variables are asked for: wildcards of names (`*`, `?`)."""

    wanted: bool = True
    include: tuple[bytes, ...] = ()
    """Empty means all."""
    exclude: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterEntry:
    """One line of `outgoing.filter` or `dns.filter`: `[tcp://|udp://][name|address|subnet][:port]`."""

    protocol: str = ""
    """`tcp` or `udp`; empty means both."""
    name: str = ""
    """A host's name in lower case."""
    network: tuple[bytes, int] | None = None
    """An address in network order, and how many of its first bits count; with `name` empty, None means all."""
    port: int = 0
    """0 means all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What matches an entry goes to one side, all else to the other."""

    remote: bool
    """Whether what matches is the target's."""
    entries: tuple[FilterEntry, ...]


class IncomingMode(enum.Enum):
    """`feature.network.incoming.mode`."""

    OFF = "off"
    MIRROR = "mirror"
    STEAL = "steal"


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingRules:
    """`feature.network.incoming`; ports are numbers of TCP."""

    mode: IncomingMode = IncomingMode.MIRROR
    required: bool = False
    """The user asked for this mode, so a session without it is an error."""
    port_mapping: tuple[tuple[int, int], ...] = ()
    """A program's port, and the target's that it stands for."""
    listen_ports: tuple[tuple[int, int], ...] = ()
    """A program's port, and the one to bind here instead."""
    ignore_ports: tuple[int, ...] = ()
    ports: tuple[int, ...] | None = None
    """Only these of the target's; None means all."""
    ignore_localhost: bool = False
    """A program's listeners on loopback stay local."""
    loopback: bool = True
    """Connections from inside the target count too."""
    reset: bool = True
    """Connections established before are reset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRules:
    """`feature.network` and `feature.hostname`: what is the target's."""

    names: bool = True
    name_filter: Filter | None = None
    tcp: bool = True
    udp: bool = True
    ignore_localhost: bool = False
    outgoing_filter: Filter | None = None
    unix_streams: tuple[str, ...] = ()
    """Patterns, as the user wrote them; compiled once."""
    ipv6: bool = True
    incoming: IncomingRules = IncomingRules()
    hostname: bool = True
    debugger_ports: tuple[tuple[int, int], ...] = ()
    """First and last of ranges that stay on this machine's loopback."""

    def without(self, lacking: Collection[str]) -> NetworkRules:
        """Return the rules for a target that lacks some of `names`, `outgoing` and `incoming`."""
        rules = self
        if "incoming" in lacking:
            rules = replace(rules, incoming=IncomingRules(mode=IncomingMode.OFF))
        if "outgoing" in lacking:
            rules = replace(rules, tcp=False, udp=False, unix_streams=())
        return replace(rules, names=False) if "names" in lacking else rules


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalTarget:
    """A process on this machine, and when it was started, so that a reused PID is noticed."""

    pid: int
    start_time: int
    """In clock ticks since boot: field 22 of /proc/PID/stat."""

    @property
    def name(self) -> str:
        """As the user names it."""
        return f"process/{self.pid}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PodTarget:
    """A pod of a cluster; instructions.py has how its agent is reached."""

    name: str
    """As the user named it: `deployment/shop`, `targetless`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that a session needs to know."""

    target: LocalTarget | PodTarget
    agent_command: tuple[str, ...]
    """What starts an agent on this machine; the session appends the agent's own options."""
    files: FileRules
    environment: EnvironmentRules
    network: NetworkRules = NetworkRules()
    skipped_programs: tuple[bytes, ...] = ()
    """Base names of programs in which the layer stays inert."""
    library: bytes
    """The layer, to be preloaded."""
    time_to_live: float = 1.0
    """Seconds for which answers of the target hold where it can't tell of changes; 0 keeps nothing."""
    temporary_directory: bytes = b"/tmp"
    """Where large files are kept while programs have them open."""
    log_path: bytes | None = None
    """Where the session and its agent log, or nowhere."""
    user_id: int
    """Only this user's processes may connect."""
