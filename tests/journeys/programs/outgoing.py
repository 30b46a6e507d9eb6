"""Connects in all of Python's ways and tells what it met, a line each.

Run twice by test_outgoing.py: under mirrord, and plainly in the target's network.
"""

import asyncio
import errno
import os
import select
import socket
import struct
import sys
import threading
import urllib.request

PEER, PEER6, SECOND = "10.77.0.1", "fd00:77::1", "10.77.0.3"
DARK, UNREACHABLE, PROHIBITED, NOWHERE = "10.77.8.1", "10.77.9.1", "10.77.10.1", "203.0.113.9"


def tell(work):
    """Print what a function returns or raises, beside its name."""
    try:
        value = work()
    except OSError as error:
        value = f"{type(error).__name__} {errno.errorcode.get(error.errno, error.errno)}"
    print(work.__name__, value, sep="\t", flush=True)


def host(address):
    """An address without the port that the kernel chose."""
    return address[0]


def talk(sock, text=b"good morning"):
    sock.sendall(text)
    got = b""
    while len(got) < len(text):
        got += sock.recv(65536)
    return got == text


def read(sock, size):
    got = bytearray()
    while len(got) < size and (data := sock.recv(65536)):
        got += data
    return bytes(got)


@tell
def blocking():
    with socket.create_connection((PEER, 7)) as sock:
        return talk(sock), host(sock.getsockname()), sock.getpeername()


@tell
def blocking_six():
    with socket.create_connection((PEER6, 7)) as sock:
        return talk(sock), host(sock.getsockname()), sock.getpeername()


@tell
def mapped():
    with socket.socket(socket.AF_INET6) as sock:
        sock.connect(("::ffff:10.77.0.1", 7))
        return talk(sock), host(sock.getsockname()), sock.getpeername()


@tell
def by_name():
    with socket.create_connection(("db.shop.test", 7)) as sock:
        return talk(sock), sock.getpeername()


@tell
def with_timeout():
    with socket.create_connection((PEER, 7), timeout=10) as sock:
        return talk(sock), sock.gettimeout()


@tell
def large():
    with socket.create_connection((PEER, 7)) as sock:
        data = os.urandom(3_000_000)
        sender = threading.Thread(target=sock.sendall, args=(data,))
        sender.start()
        got = read(sock, len(data))
        sender.join()
        return got == data


@tell
def half_close():
    """At once, so that the end overtakes whoever joins the connections."""
    found = []
    for size in (0, 1, 1000, 100_000) * 5:
        with socket.create_connection((PEER, 5)) as sock:
            sock.sendall(b"x" * size)
            sock.shutdown(socket.SHUT_WR)
            found.append((read(sock, 100), sock.recv(1)))
    return found


@tell
def server_first():
    with socket.create_connection((PEER, 25)) as sock:
        return sock.recv(100)


@tell
def reset_by_peer():
    with socket.create_connection((PEER, 6)) as sock:
        sock.sendall(b"hello")
        first = sock.recv(100)
        try:
            return first, sock.recv(100)
        except ConnectionResetError:
            return first, "reset"


def refused(address, family=socket.AF_INET):
    with socket.socket(family) as sock:
        sock.connect(address)


for name, address, family in (
    ("refused", (PEER, 1), socket.AF_INET), ("refused_six", (PEER6, 1), socket.AF_INET6),
    ("unreachable", (UNREACHABLE, 7), socket.AF_INET), ("prohibited", (PROHIBITED, 7), socket.AF_INET),
    ("nowhere", (NOWHERE, 7), socket.AF_INET), ("nowhere_six", ("2001:db8::9", 7), socket.AF_INET6),
    ("dark", (DARK, 7), socket.AF_INET),
):  # fmt: skip
    work = lambda address=address, family=family: refused(address, family)  # noqa: E731
    work.__name__ = f"connect {name}"
    tell(work)


def outcome(address, family, waiter):
    """A connect that doesn't block, waited for in one of several ways; SO_ERROR and what a second connect says."""
    with socket.socket(family) as sock:
        sock.setblocking(False)
        first = sock.connect_ex(address)
        waiter(sock)
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        again = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        return errno.errorcode.get(first), errno.errorcode.get(error, error), again


def by_poll(sock):
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    return poll.poll(20_000)


def by_select(sock):
    return select.select([], [sock], [sock], 20)


def by_epoll(sock):
    with select.epoll() as epoll:
        epoll.register(sock, select.EPOLLOUT | select.EPOLLET)
        return epoll.poll(20)


for way in (by_poll, by_select, by_epoll):
    for name, address, family in (
        ("works", (PEER, 7), socket.AF_INET), ("works_six", (PEER6, 7), socket.AF_INET6),
        ("refused", (PEER, 1), socket.AF_INET), ("refused_six", (PEER6, 1), socket.AF_INET6),
        ("dark", (DARK, 7), socket.AF_INET),
    ):  # fmt: skip
        if name == "dark" and way is not by_poll:
            continue
        work = lambda a=address, f=family, w=way: outcome(a, f, w)  # noqa: E731
        work.__name__ = f"{way.__name__} {name}"
        tell(work)


@tell
def connect_again():
    """A second connect instead of SO_ERROR: EISCONN, or the errno."""
    found = []
    for port in (7, 1):
        with socket.socket() as sock:
            sock.setblocking(False)
            sock.connect_ex((PEER, port))
            by_poll(sock)
            found.append(errno.errorcode.get(sock.connect_ex((PEER, port)), 0))
    return found


@tell
def after_not_blocking():
    with socket.socket() as sock:
        sock.setblocking(False)
        sock.connect_ex((PEER, 7))
        by_poll(sock)
        sock.setblocking(True)
        return talk(sock), host(sock.getsockname()), sock.getpeername()


@tell
def time_runs_out():
    with socket.socket() as sock:
        sock.settimeout(0.3)
        try:
            sock.connect((DARK, 7))
        except TimeoutError as error:
            return str(error)


@tell
def options():
    """They are the program's socket's own."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 50_000)
        sock.connect((PEER, 7))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 77)
        names = (
            (socket.SOL_SOCKET, socket.SO_KEEPALIVE), (socket.IPPROTO_TCP, socket.TCP_NODELAY),
            (socket.SOL_SOCKET, socket.SO_RCVBUF), (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
            (socket.SOL_SOCKET, socket.SO_TYPE), (socket.SOL_SOCKET, socket.SO_DOMAIN),
            (socket.SOL_SOCKET, socket.SO_ACCEPTCONN),
        )  # fmt: skip
        return [sock.getsockopt(*name) for name in names], talk(sock)


@tell
def duplicated_and_forked():
    with socket.create_connection((PEER, 7)) as sock:
        copy = sock.dup()
        child = os.fork()
        if child == 0:
            os._exit(0 if talk(copy) and copy.getpeername() == (PEER, 7) else 1)
        code = os.waitpid(child, 0)[1]
        copy.close()
        return code, talk(sock)


@tell
def own_loopback():
    """127.0.0.1 is the target's."""
    with socket.create_connection(("127.0.0.1", 6379)) as sock:
        return talk(sock), sock.getsockname()[0], sock.getpeername()


@tell
def loopback_of_the_target():
    with socket.create_connection(("127.0.0.1", 80)) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        return sock.recv(1000).partition(b"\r\n\r\n")[2]


@tell
def unspecified():
    with socket.create_connection(("0.0.0.0", 6379)) as sock:
        return talk(sock)


@tell
def bound_before():
    with socket.socket() as sock:
        sock.bind(("0.0.0.0", 0))
        sock.connect((PEER, 7))
        return talk(sock), host(sock.getsockname())


@tell
def with_urllib():
    return urllib.request.urlopen("http://db.shop.test:8080/orders?x=1").read()


async def streams(address, port):
    reader, writer = await asyncio.open_connection(address, port)
    writer.write(b"through asyncio")
    got = await reader.readexactly(15)
    peer = writer.get_extra_info("peername")
    writer.close()
    await writer.wait_closed()
    return got, peer


@tell
def with_asyncio():
    return asyncio.run(streams("four.shop.test", 7))


@tell
def with_asyncio_refused():
    return asyncio.run(streams(PEER, 1))


@tell
def many_with_asyncio():
    async def all_of_them():
        return await asyncio.gather(*(streams(PEER, 7) for _ in range(100)))

    return asyncio.run(all_of_them()) == [(b"through asyncio", (PEER, 7))] * 100


@tell
def happy_eyeballs():
    """The IPv6 address is dead; IPv4 is tried before that is known."""

    async def connect():
        _, writer = await asyncio.open_connection("dead.shop.test", 7, happy_eyeballs_delay=0.05)
        peer = writer.get_extra_info("peername")
        writer.close()
        await writer.wait_closed()
        return peer

    return asyncio.run(connect())


@tell
def datagrams_connected():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        sock.connect((PEER, 7))
        sock.send(b"one")
        return sock.recv(100), host(sock.getsockname()), sock.getpeername()


@tell
def datagrams_to_several():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        found = []
        for peer in (PEER, SECOND, PEER):
            sock.sendto(b"two", (peer, 7))
            found.append(sock.recvfrom(100))
        return found


@tell
def datagrams_of_six():
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        sock.sendto(b"three", (PEER6, 7))
        first = sock.recvfrom(100)
        sock.sendto(b"four", ("::ffff:10.77.0.1", 7))
        return first, sock.recvfrom(100)


@tell
def datagrams_by_message():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        sock.sendmsg([b"five ", b"six"], [], 0, (SECOND, 7))
        data, ancillary, flags, address = sock.recvmsg(100)
        return data, ancillary, flags, address


@tell
def datagrams_refused():
    """The refusal comes with one of the next datagrams, as on a network that takes its time."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.1)
        sock.connect((PEER, 1))
        for _ in range(100):
            sock.send(b"one")
            try:
                return sock.recv(100)
            except TimeoutError:
                continue
        return "never"


@tell
def datagrams_large():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        sock.connect((PEER, 7))
        sock.send(b"x" * 9000)
        return len(sock.recv(65536))


@tell
def closed_by_a_reset():
    sock = socket.create_connection((PEER, 7))
    sock.sendall(b"never read")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
    return True


if "--unix" in sys.argv:

    @tell
    def unix():
        found = []
        for address in ("/srv/run/shop.sock", b"\0shop"):
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(address)
                found += [talk(sock), sock.getpeername()]
        return found

    @tell
    def unix_missing():
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect("/srv/run/nothing.sock")
