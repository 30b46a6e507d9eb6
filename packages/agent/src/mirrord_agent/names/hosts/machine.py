"""What /etc/hosts says, as the C library's `files` service reads it. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field

from mirrord_agent.names.numeric import pton4, pton6, unmapped
from mirrord_protocol.network_values import Families

LOOPBACK6 = bytes(15) + b"\1"
LOOPBACK4 = bytes([127, 0, 0, 1])


@dataclass(frozen=True, slots=True)
class Line:
    """One line: an address, its name, further names."""

    host: bytes
    name: bytes
    aliases: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """All that a file says of one name: addresses in the file's order, the first line's name, all other names."""

    hosts: tuple[bytes, ...]
    name: bytes
    aliases: tuple[bytes, ...]


@dataclass(slots=True)
class Hosts:
    """A hosts file, by name and by address."""

    by_name: dict[bytes, list[Line]] = field(default_factory=dict)
    """Names in lower case; lines in the file's order."""
    by_host: dict[bytes, Line] = field(default_factory=dict)

    def find(self, name: bytes, families: Families) -> Entry | None:
        """Return what the file says of a name for some families; None if nothing."""
        found: dict[bytes, Line] = {}
        for line in self.by_name.get(name.lower(), ()):
            host = line.host
            if families == Families.IPV4:
                # What glibc makes of `::1 localhost` for those who want IPv4 alone.
                host = LOOPBACK4 if host == LOOPBACK6 else unmapped(host)
            if families & (Families.IPV4 if len(host) == 4 else Families.IPV6):
                found.setdefault(host, line)
        if not found:
            return None
        first = next(iter(found.values()))
        aliases = dict.fromkeys(alias for line in found.values() for alias in (*line.aliases, line.name))
        aliases.pop(first.name, None)
        return Entry(tuple(found), first.name, tuple(aliases))


def parse_hosts(data: bytes) -> Hosts:
    """Parse a hosts file; lines that make no sense are left out."""
    hosts = Hosts()
    for text in data.split(b"\n"):
        words = text.partition(b"#")[0].split()
        if len(words) < 2:
            continue
        host = pton4(words[0]) or pton6(words[0])
        if host is None:
            continue
        line = Line(host, words[1], tuple(words[2:]))
        hosts.by_host.setdefault(host, line)
        for name in dict.fromkeys(word.lower() for word in words[1:]):
            hosts.by_name.setdefault(name, []).append(line)
    return hosts
