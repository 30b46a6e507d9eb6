"""The network of a scripted session: targets' servers that a test describes, and sockets on loopback that stand for them.

A program's connect is held, joined and refused as a session does it: the listener hears nothing, then a socket bound to
the same port connects to the program's (a simultaneous open), or resets it. Layer, payloads: docs/network.md.
"""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from layer_remote import Answer, Remote
from layer_table import OWN_AT, RELAYED_AT, RELAYED_DATAGRAMS_AT, RELAYS_AT, SharedTable
from mirrord_protocol.layer_values import LayerOperation, LayerOutcome, LayerReply, LayerRequest, LayerSocket
from mirrord_protocol.network_messages import decode_layer_address, encode_layer_address
from mirrord_protocol.network_values import NOWHERE, Address

MAPPED = bytes(10) + b"\xff\xff"
IP_MINTTL, IPV6_MINHOPCOUNT = 21, 73
Handler = Callable[[LayerRequest, bytes], Answer]
LOCAL = Answer(LayerReply(LayerOutcome.LOCAL))
DONE = Answer(LayerReply(LayerOutcome.DONE))


def address(host: str, port: int = 0) -> Address:
    """An address by its text."""
    return Address(socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host), port)


def plain(given: Address) -> Address:
    """IPv4 out of IPv6."""
    return Address(given.host[12:], given.port) if given.host.startswith(MAPPED) and len(given.host) == 16 else given


def name_of(end: socket.socket) -> Address:
    """A socket's own address."""
    return address(*end.getsockname()[:2])


def text_of(given: Address) -> str:
    """An address's host."""
    return socket.inet_ntop(socket.AF_INET if len(given.host) == 4 else socket.AF_INET6, given.host)


def answer(payload: bytes, outcome: LayerOutcome = LayerOutcome.DONE) -> Answer:
    """An answer with a payload."""
    return Answer(LayerReply(outcome, payload=len(payload)), payload)


def deafen(end: socket.socket) -> None:
    """Let the kernel drop all that comes to a socket: on this machine nothing is sent with so large a TTL."""
    six = end.family == socket.AF_INET6
    end.setsockopt(socket.IPPROTO_IPV6 if six else socket.IPPROTO_IP, IPV6_MINHOPCOUNT if six else IP_MINTTL, 255)


def shared(family: int) -> socket.socket:
    """A socket that may have the port of another one."""
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return made


def echo(end: socket.socket) -> None:
    """Send back what comes, to its end."""
    with end:
        try:
            while data := end.recv(1 << 16):
                end.sendall(data)
        except OSError:
            return


@dataclass(slots=True)
class Server:
    """What a target's address does with a connect: it is reached, or fails, once `released`."""

    failure: str = ""
    released: threading.Event = field(default_factory=threading.Event)
    serve: Callable[[socket.socket], None] = echo


@dataclass(slots=True)
class Made:
    """A connection of a program: its listener, and its truth."""

    peer: Address
    server: Server
    listener: socket.socket
    failure: str = "EINPROGRESS"
    ready: threading.Event = field(default_factory=threading.Event)
    own: Address | None = None


class Network:
    """Answers questions of sockets. What a test scripts are the attributes."""

    def __init__(self, remote: Remote, table: SharedTable) -> None:
        self.table = table
        self.servers: dict[Address, Server] = {}
        """By address on the target; any other is local."""
        self.unix_servers: dict[bytes, Callable[[socket.socket], None]] = {}
        self.moves: dict[Address, Address] = {}
        """Listeners of this session that are elsewhere on this machine."""
        self.binds: dict[int, Address | str] = {}
        """By the port wanted: where to bind instead, or an errno."""
        self.listen_failure: dict[int, str] = {}
        self.text = b""
        """For standard error, with each answer to `bind` and `listen`."""
        self.datagram_servers: set[Address] = set()
        self.host = address("10.99.0.7")
        """The target's own."""
        self.listened: list[Address] = []
        self.datagram_ports: list[Address] = []
        """Own addresses of datagram sockets that others here may send to."""
        self.flags: list[tuple[str, LayerSocket]] = []
        """Of each question: its operation and flags."""
        self.patience: list[int] = []
        self.made: dict[int, Made] = {}
        self.wanted: dict[int, Address] = {}
        self.ends: dict[tuple[int, int], tuple[Address, Address]] = {}
        """By the port that is relayed from, and the program's port: both ends as the target sees them."""
        self.unix_peers: dict[int, bytes] = {}
        self.connecting = threading.Event()
        """Some program is in SYN_SENT."""
        self._peers: dict[tuple[int, Address], Address] = {}
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._over = False
        handlers = {
            LayerOperation.CONNECT: self._connect,
            LayerOperation.CONNECTING: self._connecting,
            LayerOperation.OUTCOME: self._outcome,
            LayerOperation.DESCRIBE: self._describe,
            LayerOperation.BIND: self._bind,
            LayerOperation.LISTEN: self._listen,
            LayerOperation.SEND: self._send,
        }
        remote.answers.update({operation: self._counted(take) for operation, take in handlers.items()})

    def _counted(self, take: Handler) -> Handler:
        def count(request: LayerRequest, payload: bytes) -> Answer:
            self.flags.append((request.operation.name, LayerSocket(request.flags)))
            return take(request, payload)

        return count

    def add(self, host: str, port: int, *, failure: str = "", held: bool = False) -> Server:
        """Add a server of the target; a held one decides nothing until it is released."""
        made = self.servers[address(host, port)] = Server(failure)
        if not held:
            made.released.set()
        return made

    def _keep(self, made: socket.socket) -> socket.socket:
        with self._lock:
            self._sockets.append(made)
        return made

    def _run(self, function: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=function, args=arguments)
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _relay_from(self, port: int, counter: int = RELAYS_AT) -> None:
        with self._lock:
            self.table.mark_port(RELAYED_AT, port)
            self.table.count(counter)

    # ---- connections made

    def _loopback(self, flags: int) -> tuple[int, str]:
        six = flags & LayerSocket.IPV6 and flags & LayerSocket.IPV6_ONLY
        return (socket.AF_INET6, "::1") if six else (socket.AF_INET, "127.0.0.1")

    def _seen(self, given: Address, flags: int) -> Address:
        four = len(given.host) == 4 and flags & LayerSocket.IPV6
        return Address(MAPPED + given.host, given.port) if four else given

    def _connect(self, request: LayerRequest, payload: bytes) -> Answer:
        if request.flags & LayerSocket.UNIX:
            return self._connect_unix(request, payload)
        to = plain(decode_layer_address(payload))
        self.patience.append(request.length)
        if to in self.moves:
            return answer(encode_layer_address(self.moves[to]), LayerOutcome.LOCAL)
        if request.flags & LayerSocket.DATAGRAM:
            return self._send_to(request, 0, to) if to in self.datagram_servers else LOCAL
        server = self.servers.get(to)
        if server is None:
            return LOCAL
        waits = not request.flags & LayerSocket.NON_BLOCKING
        if waits:
            server.released.wait()
            if server.failure:
                raise OSError(getattr(errno, server.failure), server.failure)
        family, host = self._loopback(request.flags)
        listener = self._keep(shared(family))
        if not waits:
            deafen(listener)
        listener.bind((host, 0))
        listener.listen(1)
        made = self.made[request.inode] = Made(to, server, listener)
        here = name_of(listener)
        if waits:  # the kernel has connected the program before we look
            self.ends[here.port, 0] = Address(self.host.host, 40000), to
        self._relay_from(here.port)
        self._run(self._accept if waits else self._join, made)
        return answer(encode_layer_address(self._seen(here, request.flags)))

    def _connecting(self, request: LayerRequest, payload: bytes) -> Answer:
        made = self.made[request.inode]
        made.own = plain(decode_layer_address(payload))
        made.ready.set()
        self.connecting.set()
        return DONE

    def _begin(self, made: Made, end: socket.socket) -> None:
        made.failure = ""
        made.server.serve(end)

    def _accept(self, made: Made) -> None:
        try:
            end, _ = made.listener.accept()
        except OSError:
            return
        self._begin(made, end)

    def _join(self, made: Made) -> None:
        made.ready.wait()
        made.server.released.wait()
        if made.own is None or self._over:
            return
        to = (text_of(made.own), made.own.port)
        if not made.server.failure:
            end = shared(made.listener.family)
            end.bind(made.listener.getsockname())
            local = Address(self.host.host, 40000 + made.own.port % 1000)
            self.ends[name_of(made.listener).port, made.own.port] = local, made.peer
            try:
                end.connect(to)
            except ConnectionRefusedError:  # it was closed meanwhile
                end.close()
                return
            self._begin(made, end)
            return
        made.failure = made.server.failure
        for quiet in (True, False):
            end = shared(made.listener.family)
            end.setblocking(False)
            end.bind(made.listener.getsockname())
            if quiet:
                deafen(end)
            end.connect_ex(to)
            end.close()

    def _outcome(self, request: LayerRequest, payload: bytes) -> Answer:
        made = self.made.get(request.inode)
        if made is None:
            return LOCAL
        return Answer(LayerReply(LayerOutcome.FAILED, errno=made.failure)) if made.failure else DONE

    def _connect_unix(self, request: LayerRequest, path: bytes) -> Answer:
        serve = self.unix_servers.get(path)
        if serve is None:
            return LOCAL
        listener = self._keep(socket.socket(socket.AF_UNIX))
        listener.bind("")
        listener.listen(1)
        self.unix_peers[request.inode] = path
        with self._lock:
            self.table.count(RELAYS_AT)
        self._run(self._accept_unix, listener, serve)
        name: bytes = listener.getsockname()
        return answer(name)

    def _accept_unix(self, listener: socket.socket, serve: Callable[[socket.socket], None]) -> None:
        try:
            end, _ = listener.accept()
        except OSError:
            return
        serve(end)

    # ---- ends

    def _describe(self, request: LayerRequest, payload: bytes) -> Answer:
        if request.flags & LayerSocket.UNIX:
            path = self.unix_peers.get(request.inode)
            return answer(path) if path else LOCAL
        own, peer = (decode_layer_address(payload, at) for at in (0, 24))
        if peer == NOWHERE:
            wanted = self.wanted.get(request.inode)
            return answer(encode_layer_address(self._written(own, wanted)) + bytes(24)) if wanted else LOCAL
        ends = self.ends.get((peer.port, own.port)) or self.ends.get((peer.port, 0))
        if ends is None:
            return LOCAL
        return answer(b"".join(encode_layer_address(self._written(own, end)) for end in ends))

    def _written(self, own: Address, other: Address) -> Address:
        four = len(other.host) == 4 and len(own.host) == 16
        return Address(MAPPED + other.host, other.port) if four else other

    # ---- connections that come

    def _bind(self, request: LayerRequest, payload: bytes) -> Answer:
        wanted = decode_layer_address(payload)
        where = self.binds.get(wanted.port)
        if where is None:
            return answer(self.text, LayerOutcome.LOCAL) if self.text else LOCAL
        if isinstance(where, str):
            raise OSError(getattr(errno, where), where)
        self.wanted[request.inode] = wanted
        return answer(encode_layer_address(where) + self.text)

    def _listen(self, request: LayerRequest, payload: bytes) -> Answer:
        own = decode_layer_address(payload)
        if request.flags & LayerSocket.DATAGRAM:
            self.datagram_ports.append(own)
            return DONE
        failure = self.listen_failure.get(own.port)
        if failure:
            return Answer(LayerReply(LayerOutcome.FAILED, errno=failure, payload=len(self.text)), self.text)
        self.listened.append(own)
        self.table.mark_port(OWN_AT, own.port)
        return answer(self.text)

    def arrive(self, port: int, client: Address, *, at: Address, host: str = "127.0.0.1") -> socket.socket:
        """Let a connection come to the target at `at`: this end of what the program's listener gets."""
        end = shared(socket.AF_INET6 if ":" in host else socket.AF_INET)
        end.bind((host, 0))
        here = name_of(end)
        self.ends[here.port, port] = at, client
        self._relay_from(here.port)
        end.connect((host, port))
        return end

    # ---- datagrams

    def _send(self, request: LayerRequest, payload: bytes) -> Answer:
        own, to = (decode_layer_address(payload, at) for at in (0, 24))
        assert own.port
        return self._send_to(request, own.port, plain(to)) if plain(to) in self.datagram_servers else LOCAL

    def _send_to(self, request: LayerRequest, own: int, to: Address) -> Answer:
        here = self._peers.get((request.inode, to))
        if here is None:
            family, host = self._loopback(request.flags)
            end = self._keep(socket.socket(family, socket.SOCK_DGRAM))
            end.bind((host, 0))
            here = self._peers[request.inode, to] = name_of(end)
            self.ends[here.port, own] = Address(self.host.host, own or 45000), to
            self._relay_from(here.port, RELAYED_DATAGRAMS_AT)
            self._run(self._echo_datagrams, end)
        return answer(encode_layer_address(self._seen(here, request.flags)))

    def _echo_datagrams(self, end: socket.socket) -> None:
        while True:
            try:
                data, source = end.recvfrom(1 << 16)
            except OSError:
                return
            if not data and source[1] == end.getsockname()[1]:
                return
            end.sendto(data, source)

    def give_up_datagrams(self) -> None:
        """Forget all peers, as after a long silence."""
        for here in self._peers.values():
            self.table.mark_port(RELAYED_AT, here.port, on=False)
        self._peers.clear()

    def close(self) -> None:
        """End all that still waits."""
        self._over = True
        for made in self.made.values():
            made.ready.set()
            made.server.released.set()
        for each in self._sockets:
            try:
                if each.type == socket.SOCK_DGRAM:
                    each.sendto(b"", each.getsockname())
                else:
                    each.shutdown(socket.SHUT_RDWR)
            except OSError:  # never connected
                continue
        for thread in self._threads:
            thread.join()
        for each in self._sockets:
            each.close()
