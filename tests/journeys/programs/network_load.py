"""Keeps names, connections, datagrams and a stolen port busy from threads, and checks every byte. Runs under mirrord.

Arguments: seed, port to serve, peer's address. Prints a line for each round of work until its input ends or a call
fails; then some more rounds, in which what fails must fail as it does when the target's network is gone; at last what
went wrong beside that. Whoever asks the served port is told "program".
"""

import errno
import os
import random
import socket
import sys
import threading

SEED, PORT, PEER = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
THREADS, AFTER = 4, 8
GONE = {errno.ENETDOWN, errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED}
LOST = {errno.EIO}  # what getaddrinfo's EAI_SYSTEM says of a session that is gone

wrong = []
ending = threading.Event()
output = threading.Lock()


class Lost(Exception):
    """A datagram wasn't answered, as may be."""


def check(what, seen, expected):
    if seen != expected:
        wrong.append(f"{what}: {seen!r:.100} in place of {expected!r:.100}")


def read(sock, size, resets, sender):
    got = bytearray()
    while len(got) < size:
        data = sock.recv(min(65536, size - len(got)))
        if not data:
            sender.join()
            if resets:  # the kernel tells of a reset once: whoever sent was first
                raise resets[0]
            wrong.append("a connection ended early, without an error")
            return bytes(got)
        got += data
    return bytes(got)


def exchange(random_):
    data = random_.randbytes(random_.choice((10, 3000, 200_000)))
    with socket.create_connection((PEER, 7)) as sock:
        resets = []
        sender = threading.Thread(target=send, args=(sock, data, resets))
        sender.start()
        try:
            got = read(sock, len(data), resets, sender)
        finally:
            sender.join()
        check("echo", got, data)


def send(sock, data, resets):
    try:
        sock.sendall(data)
    except ConnectionResetError as error:
        resets.append(error)
    except OSError as error:
        if error.errno not in GONE:
            wrong.append(f"send {error!r}")


def by_timeout(random_):
    """A connect that doesn't block."""
    with socket.create_connection((PEER, 25), timeout=60) as sock:
        check("banner", sock.recv(100), b"220 peer ready\r\n")


def refused(random_):
    try:
        socket.create_connection((PEER, 1)).close()
    except ConnectionRefusedError:
        return
    wrong.append("nothing listens there")


def name(random_):
    check("name", socket.gethostbyname(random_.choice(("four.shop.test", "four", "gw"))), "10.77.0.1")
    try:
        socket.gethostbyname(f"nothing{random_.randrange(1000)}.shop.test.")
    except socket.gaierror as error:
        if error.args[0] != socket.EAI_NONAME:
            raise
        return
    wrong.append("a name that isn't there has an address")


def datagram(random_):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(1)
        sock.connect((PEER, 7))
        try:
            sock.send(b"datagram")
            check("datagram", sock.recv(100), b"first datagram")
        except TimeoutError:
            raise Lost from None
        except ConnectionRefusedError:  # the kernel's word for a socket that was connected before the session went
            raise OSError(errno.ENETDOWN, "the session is gone") from None


def serve(server):
    while True:
        sock, _ = server.accept()
        threading.Thread(target=answer, args=(sock,), daemon=True).start()


def answer(sock):
    with sock:
        try:
            while data := sock.recv(65536):
                body = b"program\n"
                head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
                sock.sendall((head + body) * data.count(b"\r\n\r\n"))
        except OSError as error:
            if error.errno not in GONE:
                wrong.append(f"serve {error!r}")


def work(thread):
    random_ = random.Random(SEED * 1000 + thread)
    left = AFTER
    while left:
        try:
            random_.choice((exchange, exchange, by_timeout, refused, name, datagram))(random_)
        except Lost:
            pass
        except socket.gaierror as error:
            if error.args[0] != socket.EAI_AGAIN:
                wrong.append(repr(error))
            ending.set()
        except OSError as error:
            if error.errno not in GONE | LOST:
                wrong.append(repr(error))
            ending.set()
        if ending.is_set():
            left -= 1
        else:
            with output:
                print("round", flush=True)


def wait_end():
    sys.stdin.buffer.read()
    ending.set()


server = socket.create_server(("0.0.0.0", PORT), backlog=256)
threading.Thread(target=serve, args=(server,), daemon=True).start()
print("listening", flush=True)
threading.Thread(target=wait_end, daemon=True).start()
threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("wrong:", wrong[:5], flush=True)
os._exit(0)
