"""Times what programs do with the network, twice each: network_calls.py NAME PEER. Prints milliseconds as JSON.

`hold` opens connections instead, says so, and keeps them until its input ends.
"""

import asyncio
import json
import resource
import socket
import struct
import sys
import time


def resolve(peer):
    socket.getaddrinfo("db.shop.test", 80, 0, socket.SOCK_STREAM)


def exchange(peer):
    with socket.create_connection((peer, 7)) as sock:
        sock.sendall(b"hello")
        sock.recv(100)


def download(peer):
    with socket.create_connection((peer, int(sys.argv[3]))) as sock:
        if len(sys.argv) > 4:  # a source that is told how much
            sock.sendall(struct.pack(">Q", int(sys.argv[4])))
        buffer = bytearray(1 << 20)
        while sock.recv_into(buffer):
            pass


def nothing(peer):
    pass


async def hold(peer, count):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    held = []
    for _ in range(count // 50):
        held += await asyncio.gather(*(asyncio.open_connection(peer, 7) for _ in range(50)))
    for reader, writer in held:
        writer.write(b"hello")
        await reader.readexactly(5)
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.read)


name, peer = sys.argv[1:3]
if name == "hold":
    asyncio.run(hold(peer, int(sys.argv[3])))
else:
    times = []
    for _ in range(1 if name == "download" else 2):
        before = time.perf_counter()
        globals()[name](peer)
        times.append((time.perf_counter() - before) * 1000)
    print(json.dumps(times))
