"""A server that says who asked it, and where: serve.py HOW HOST PORT [OPTION ...]. Prints a line once it listens.

HOW: http, banner (speaks first), echo, total (a half-close wanted), reset, silent (reads nothing), copy (prints what came).
Options: reuseport, v6only, twice (closes and listens once more on a line of input), fork (children accept).
"""

import os
import signal
import socket
import struct
import sys
import threading

HOW, HOST, PORT, *OPTIONS = sys.argv[1:]
output = threading.Lock()


def say(*words):
    with output:
        print(*words, flush=True)


def name(address):
    return f"{address[0]}:{address[1]}"


def serve_http(sock):
    where = f"program, to {name(sock.getpeername())}, at {name(sock.getsockname())}\n".encode()
    buffer = b""
    while True:
        while b"\r\n\r\n" not in buffer:
            data = sock.recv(65536)
            if not data:
                return
            buffer += data
        _, _, buffer = buffer.partition(b"\r\n\r\n")
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(where) + where)


def serve(sock, peer):
    with sock:
        try:
            if HOW == "http":
                serve_http(sock)
            elif HOW == "banner":
                sock.sendall(b"220 program ready\r\n")
                sock.sendall(b"program heard " + sock.recv(100))
            elif HOW == "echo":
                while data := sock.recv(65536):
                    sock.sendall(data)
            elif HOW == "total":
                size = 0
                while data := sock.recv(65536):
                    size += len(data)
                sock.sendall(b"%d bytes" % size)
            elif HOW == "reset":
                sock.recv(100)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif HOW == "silent":
                say("accepted", name(peer))
                threading.Event().wait()
            elif HOW == "copy":
                got = b""
                while data := sock.recv(65536):
                    got += data
                    say("got", data.partition(b"\r")[0].decode(errors="replace")[:100])
                say("end", len(got), name(peer), name(sock.getsockname()))
        except OSError as error:
            say("error", type(error).__name__)


def listen():
    family = socket.AF_INET6 if ":" in HOST else socket.AF_INET
    server = socket.socket(family)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if "reuseport" in OPTIONS:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if family == socket.AF_INET6:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, "v6only" in OPTIONS)
    try:
        server.bind((HOST, int(PORT)))
        server.listen(512)
    except OSError as error:
        say("failed", type(error).__name__, error.errno)
        sys.exit(3)
    say("listening", name(server.getsockname()))
    return server


def accept(server):
    while True:
        try:
            sock, peer = server.accept()
        except OSError:
            return
        threading.Thread(target=serve, args=(sock, peer), daemon=True).start()


def run(server):
    threading.Thread(target=accept, args=(server,), daemon=True).start()


children = []
server = listen()
if "fork" in OPTIONS:
    for _ in range(3):
        child = os.fork()
        if child == 0:
            accept(server)
            os._exit(0)
        children.append(child)
else:
    run(server)
for line in sys.stdin:
    if line == "close\n":
        server.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        server.close()
        say("closed")
    elif line == "listen\n":
        server = listen()
        run(server)
for child in children:
    os.kill(child, signal.SIGKILL)
os._exit(0)
