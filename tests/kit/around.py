"""The network around a target as journeys know it: which service is on which port of the peer, and in the target.

7 echo, 5 half-close, 6 reset, 9 silent, 25 banner, 53 names, 80 and 8080 HTTP, 19 download; 1 is refused
UDP 7 echo, on each of the peer's addresses with a label of its own
in the target: 80 HTTP, 25 banner, `@shop` and /srv/run/shop.sock echo; on its loopback alone: 6379 echo
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.kit import services
from tests.kit.network import PEER, PEER6, PEER_MORE, NetworkTarget, start_network
from tests.kit.services import Handler, Services

DOWNLOAD = 20_000_000
HANDLERS: dict[int, Handler] = {
    5: services.total,
    6: services.reset,
    7: services.echo,
    9: services.silent,
    19: services.download(DOWNLOAD),
    25: services.banner,
    80: services.http,
    8080: services.http,
}
LABELS = {PEER: b"first ", PEER_MORE[0]: b"second ", PEER_MORE[1]: b"third ", PEER6: b"sixth "}


@dataclass(frozen=True, slots=True)
class Around:
    """A target with its network, and the servers of its peer."""

    target: NetworkTarget
    services: Services


@contextmanager
def start_around(
    environment: Mapping[str, str] | None = None, *, root: Path, become: Sequence[str] = ()
) -> Iterator[Around]:
    """Run a target and all that is around it until the block ends; arguments and errors are `start_network`'s."""
    with start_network(environment, root=root, become=become) as target, Services() as running:
        for port, handler in HANDLERS.items():
            for address in (PEER, PEER6):
                running.serve(target.peer.listen((address, port)), handler)
        for address, label in LABELS.items():
            running.serve_datagrams(target.peer.datagrams((address, 7)), label)
        for address in (PEER, PEER6):
            running.serve_names(target.peer.listen((address, 53)), target.peer.datagrams((address, 53)))
        running.serve(target.inside.listen(("127.0.0.1", 6379)), services.echo)
        (root / "srv/run").mkdir(parents=True, exist_ok=True)
        (root / "srv/run").chmod(0o777)
        target.listen(80)
        target.listen(25, "banner")
        target.listen("@shop", "echo")
        target.listen("/srv/run/shop.sock", "echo")
        yield Around(target, running)
