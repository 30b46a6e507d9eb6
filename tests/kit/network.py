"""Starts a target with a network of its own, for tests, the demo and the benchmarks.

The processes themselves are `remote_network`; this is their handle on our side. Only the target reaches its peer, at
10.77.0.1 and fd00:77::1; sockets of both namespaces can be had here, so that a test plays whoever talks to the target,
and whoever the target talks to, in its own process (`services` has the usual ones).
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.kit.remote_network import HOSTNAME, PEER, PEER6, PEER_MORE, TARGET, TARGET6
from tests.kit.target import Target, TargetUnavailable

__all__ = ["HOSTNAME", "PEER", "PEER6", "PEER_MORE", "TARGET", "TARGET6", "NetworkTarget", "start_network"]

HERE = Path(__file__).parent
FILES = {
    "/etc/resolv.conf": f"nameserver {PEER}\nsearch shop.test lan.test\noptions ndots:1 timeout:1 attempts:2\n",
    "/etc/hosts": f"127.0.0.1 localhost\n::1 localhost ip6-localhost\n{TARGET} over-there\n"
    f"{PEER} gateway gateway.lan.test gw\n{PEER6} gateway6\n",
    "/etc/nsswitch.conf": "passwd: files\nhosts: files dns\n",
    "/etc/hostname": HOSTNAME.decode() + "\n",
}


class Control:
    """Tells one of the processes what to do."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    def __call__(self, **request: object) -> list[int]:
        """Ask, and return the descriptors that came back.

        Raises:
            OSError: what the process met.
        """
        self._end.send(json.dumps(request).encode())
        packet, descriptors, _, _ = socket.recv_fds(self._end, 65536, 4)
        if not packet:
            raise ProcessLookupError("the process has ended")
        reply = json.loads(packet)
        if "errno" in reply:
            raise OSError(reply["errno"], reply["text"])
        return descriptors

    def new(self, family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM) -> socket.socket:
        """A new socket in the process's network namespace."""
        return socket.socket(fileno=self(socket=[int(family), int(kind)])[0])

    def connect(self, address: tuple[str, int], *, timeout: float = 10) -> socket.socket:
        """A TCP connection from there; an address with a colon is IPv6."""
        made = self.new(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        made.settimeout(timeout)
        try:
            made.connect(address)
        except OSError:
            made.close()
            raise
        return made

    def listen(self, address: tuple[str, int], *, backlog: int = 512) -> socket.socket:
        """A TCP listener there; an address with a colon is IPv6."""
        made = self.new(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if ":" in address[0]:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
        made.listen(backlog)
        return made

    def datagrams(self, address: tuple[str, int]) -> socket.socket:
        """A UDP socket bound there."""
        made = self.new(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_DGRAM)
        made.bind(address)
        return made

    def close(self) -> None:
        self._end.close()


@dataclass(frozen=True, slots=True)
class NetworkTarget(Target):
    """A running target, its network namespace, and its peer's."""

    holder: int
    """The PID of the process that keeps the target's namespaces when the target is gone."""
    beside: int
    """The PID of the process in the peer's namespace."""
    inside: Control
    """Sockets in the target's network namespace."""
    peer: Control
    """Sockets in the peer's."""
    control: Control
    """The target itself."""

    def listen(self, where: int | str, kind: str = "http") -> None:
        """Let the target serve a TCP port (IPv4 and IPv6), or a Unix path or `@name` of its own.

        Kinds: `http` answers "target, to" whom; `banner` speaks first, then repeats; `echo`; `silent`.
        """
        self.control(listen=where, kind=kind)

    def unlisten(self, where: int | str) -> None:
        """Let the target close it again."""
        self.control(close=where)

    def command(self, *program: str, names: bool = False, outside: bool = False) -> list[str]:
        """What runs a program in the target's network namespace, or `outside` in its peer's, with this machine's files.

        With `names`, the target's resolv.conf, hosts and nsswitch.conf lie over ours, and its host name is ours.
        """
        process = str(self.beside if outside else self.holder)
        return [sys.executable, "-I", "-S", "-B", str(HERE / "inside.py"), process, str(self.root if names else ""), "--", *program]  # fmt: skip

    def rules(self) -> str:
        """The rules of nftables in the target's namespace."""
        nft = next(path for path in ("/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft") if os.path.exists(path))
        done = subprocess.run(self.command(nft, "list", "ruleset"), capture_output=True, text=True, check=True)
        return done.stdout

    def sockets(self, *options: str) -> str:
        """What `ss` says of the target's namespace, without a header."""
        command = self.command("ss", "-Hn", *options)
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@contextmanager
def start_network(
    environment: Mapping[str, str] | None = None, *, root: Path, become: Sequence[str] = ()
) -> Iterator[NetworkTarget]:
    """Run a target with a network until the block ends; `root` is a folder that becomes its root.

    Args:
        environment: The target's.
        root: An empty folder.
        become: What makes a command somebody else's: `ordinary.py` with its arguments.

    Raises:
        TargetUnavailable: the machine allows no namespaces.
    """
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(3)]
    theirs = [their.fileno() for _, their in pairs]
    process = subprocess.Popen(
        [*become, sys.executable, "-I", "-B", str(HERE / "remote_network.py"), ",".join(map(str, theirs)), str(root)],
        env=dict(environment or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        pass_fds=theirs,
    )
    for _, their in pairs:
        their.close()
    inside, control, peer = (Control(our) for our, _ in pairs)
    with process:
        assert process.stdout and process.stderr
        line = process.stdout.readline()
        try:
            if not line:
                raise TargetUnavailable(process.stderr.read().decode(errors="replace").strip().rpartition("\n")[2])
            pid, holder, beside = map(int, line.split())
            target = NetworkTarget(process, pid, root, holder, beside, inside, peer, control)
            for name, text in FILES.items():
                target.write(name, text)
            yield target
        finally:
            for each in (inside, control, peer):
                each.close()
            process.wait()
