"""The processes that play a target with a network of its own, and the network around it: `remote_network.py FDS ROOT`.

A program that stands alone, as `remote` does, on which it builds. `network` in this folder starts it. Three processes:

- the *holder*, in the target's network namespace, hands out sockets of it: they outlive the target
- the *target*, PID 1 of its own PID namespace, has a root and a host name of its own, and servers that say "target"
- the *peer*, in a namespace at the other end of a veth pair, hands out sockets of that one

Each is told what to do over a socket pair (FDS: three descriptors, with commas between them), a packet of JSON a
request, a packet back; a socket that is handed out comes along. All of them end with that socket, or with the holder.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from remote import (  # type: ignore[import-not-found]
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    PR_SET_PDEATHSIG,
    call,
    enter_root,
    enter_user_namespace,
)

CLONE_NEWUTS = 0x4000000
NO_DAD = 0x02
PEER, TARGET = "10.77.0.1", "10.77.0.2"
PEER6, TARGET6 = "fd00:77::1", "fd00:77::2"
PEER_MORE = ("10.77.0.3", "10.77.0.4")
DARK, UNREACHABLE, PROHIBITED = "10.77.8.0/24", "10.77.9.0/24", "10.77.10.0/24"
HOSTNAME = b"over-there"
BODY = "target, to %s\n"

Reply = tuple[dict[str, Any], list[int]]
Sinks = dict[str, Callable[[bytes, "Server"], bytes]]


def give_socket(request: dict[str, Any]) -> Reply:
    """A new socket of this process's namespace."""
    family, kind = request["socket"]
    return {}, [socket.socket(family, kind).detach()]


def serve_requests(control: socket.socket, handle: Callable[[dict[str, Any]], Reply]) -> bool:
    """Answer one request; whether there was one."""
    packet = control.recv(65536)
    if not packet:
        return False
    try:
        reply, descriptors = handle(json.loads(packet))
    except OSError as error:
        reply, descriptors = {"errno": error.errno, "text": str(error)}, []
    socket.send_fds(control, [json.dumps(reply).encode()], descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    return True


def serve_sockets(control: socket.socket) -> None:
    """Hand out sockets until the other end is closed."""
    while serve_requests(control, give_socket):
        pass


# --------------------------------------------------------------------------------------------------- the target


def answer_http(data: bytes, server: Server) -> bytes:
    """An answer for each whole request head in `data`; requests with bodies are not for this server."""
    count = data.count(b"\r\n\r\n")
    body = (BODY % server.peer).encode()
    return (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(body) + body) * count


SINKS: Sinks = {
    "http": answer_http,
    "banner": lambda data, server: b"target heard " + data,
    "echo": lambda data, server: data,
    "silent": lambda data, server: b"",
}


class Server:
    """One connection of the target's servers: what came is answered at once, as `kind` says."""

    def __init__(self, connection: socket.socket, kind: str, peer: object) -> None:
        self.connection, self.kind = connection, kind
        self.peer = str(peer[0]) if isinstance(peer, tuple) else ""
        if kind == "banner":
            connection.sendall(b"220 target ready\r\n")

    def ready(self) -> bool:
        """Answer what has come; whether more may."""
        try:
            data = self.connection.recv(65536)
            if data:
                self.connection.sendall(SINKS[self.kind](data, self))
        except OSError:
            return False
        return bool(data)


class Target:
    """The target's own work: servers, told what to listen on."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.selector = selectors.DefaultSelector()
        self.listeners: dict[str, socket.socket] = {}

    def handle(self, request: dict[str, Any]) -> Reply:
        """`listen` on a port or Unix path, as a kind of server; `close` one again."""
        if "close" in request:
            listener = self.listeners.pop(str(request["close"]))
            self.selector.unregister(listener)
            listener.close()
            return {}, []
        where, kind = request["listen"], request["kind"]
        if isinstance(where, int):
            listener = socket.create_server(("::", where), family=socket.AF_INET6, dualstack_ipv6=True, backlog=512)
        else:
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(where.replace("@", "\0"))
            listener.listen(512)
        self.listeners[str(where)] = listener
        self.selector.register(listener, selectors.EVENT_READ, lambda: self.accept(listener, kind))
        return {}, []

    def accept(self, listener: socket.socket, kind: str) -> bool:
        """Take a connection."""
        connection, peer = listener.accept()
        server = Server(connection, kind, peer)

        def ready() -> bool:
            if server.ready():
                return True
            self.selector.unregister(connection)
            connection.close()
            return True

        self.selector.register(connection, selectors.EVENT_READ, ready)
        return True

    def run(self) -> None:
        """Serve until the control socket ends."""
        self.selector.register(self.control, selectors.EVENT_READ, lambda: serve_requests(self.control, self.handle))
        while True:
            for key, _ in self.selector.select():
                if not key.data():
                    return


# --------------------------------------------------------------------------------------------------- the network


def set_up_links(peer: int) -> None:
    """Addresses and routes of the target's end, and the link to the peer's."""
    from pyroute2 import IPRoute

    with IPRoute() as route:
        route.link("set", index=1, state="up")
        route.link("add", ifname="target0", kind="veth", peer={"ifname": "peer0", "net_ns_fd": f"/proc/{peer}/ns/net"})
        index = route.link_lookup(ifname="target0")[0]
        route.link("set", index=index, state="up")
        route.addr("add", index=index, address=TARGET, prefixlen=24)
        route.addr("add", index=index, address=TARGET6, prefixlen=64, flags=NO_DAD)
        # Nothing answers on the dark ones: the peer is the way to them, and forwards nothing.
        route.route("add", dst=DARK, gateway=PEER)
        route.route("add", dst=UNREACHABLE, type="unreachable")
        route.route("add", dst=PROHIBITED, type="prohibit")
    for name in ("tcp_syn_retries", "tcp_syn_linear_timeouts"):
        setting = Path("/proc/sys/net/ipv4") / name
        if setting.exists():
            setting.write_text("1", encoding="ascii")


def set_up_peer() -> None:
    """Addresses of the peer's end, which forwards nothing, whatever the machine does: a new namespace takes after it."""
    from pyroute2 import IPRoute

    Path("/proc/sys/net/ipv4/ip_forward").write_text("0", encoding="ascii")
    with IPRoute() as route:
        route.link("set", index=1, state="up")
        index = route.link_lookup(ifname="peer0")[0]
        route.link("set", index=index, state="up")
        for address in (PEER, *PEER_MORE):
            route.addr("add", index=index, address=address, prefixlen=24)
        route.addr("add", index=index, address=PEER6, prefixlen=64, flags=NO_DAD)


def fork(work: Callable[[socket.socket], None]) -> tuple[int, socket.socket]:
    """Run `work` in a child that ends with this process; the child's PID, and a socket to it."""
    ours, its = socket.socketpair()
    child = os.fork()
    if child == 0:
        ours.close()
        call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        try:
            work(its)
        except OSError:
            traceback.print_exc()
        finally:
            os._exit(0)
    its.close()
    return child, ours


def hear(other: socket.socket) -> None:
    """Wait for a word from a child or the parent."""
    if not other.recv(1):
        sys.exit(1)  # it has said why


def main() -> int:
    call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    holder, target, peer = (socket.socket(fileno=int(fd)) for fd in sys.argv[1].split(","))
    root = sys.argv[2] if len(sys.argv) > 2 else None
    if os.geteuid() != 0:
        enter_user_namespace()

    def be_peer(parent: socket.socket) -> None:
        target.close()
        holder.close()
        call("unshare", CLONE_NEWNET)
        parent.send(b"1")
        hear(parent)
        set_up_peer()
        parent.send(b"2")
        serve_sockets(peer)

    peer_pid, to_peer = fork(be_peer)
    peer.close()
    hear(to_peer)
    call("unshare", CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS)
    set_up_links(peer_pid)
    to_peer.send(b"1")
    hear(to_peer)

    def be_target(parent: socket.socket) -> None:
        to_peer.close()
        holder.close()
        enter_root(root)
        call("sethostname", HOSTNAME, len(HOSTNAME))
        parent.send(b"1")
        Target(target).run()

    child, to_target = fork(be_target)
    target.close()
    hear(to_target)
    print(child, os.getpid(), peer_pid, flush=True)
    serve_sockets(holder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
