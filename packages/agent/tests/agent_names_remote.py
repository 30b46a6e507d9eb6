"""A target's network and files, and in it both who finds names there: the agent's driver, and the C library.

Run as a program, in namespaces of its own. It reads requests as lines of JSON and answers each with one.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import trio

sys.path.insert(0, str(Path(__file__).parent))

from agent_dns import Server
from mirrord_agent.files.driver import Files
from mirrord_agent.files.walk.driver import Paths
from mirrord_agent.files.watches.driver import Watches
from mirrord_agent.names.driver import Names
from mirrord_agent.sockets.driver import Sockets
from mirrord_agent.workers.driver import Workers
from mirrord_protocol.failure import RemoteError
from mirrord_protocol.network_values import Address, Families, Query, Resolve, Resolved, Reverse

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x20000, 0x10000000, 0x40000000
MS_BIND, MS_PRIVATE_ALL = 4096, 0x40000 | 0x4000
FILES = ("hosts", "nsswitch.conf", "resolv.conf", "gai.conf")
ADDRESSES = ("10.7.0.2/24", "fd07::2/64")
SERVERS = ("127.0.0.1", "127.0.0.2", "127.0.0.3", "::1")  # 127.0.0.4: nobody is there
GLIBC = """
import json, socket, sys
KINDS = {-2: "NO_NAME", -3: "TRY_AGAIN", -4: "FAILED", -5: "NO_DATA", -9: "NO_NAME"}
for name, families, canonical, configured in json.loads(sys.argv[1]):
    family = {1: socket.AF_INET, 2: socket.AF_INET6, 3: socket.AF_UNSPEC}[families]
    flags = (socket.AI_CANONNAME if canonical else 0) | (socket.AI_ADDRCONFIG if configured else 0)
    try:
        found = socket.getaddrinfo(name.encode(), None, family, socket.SOCK_STREAM, 0, flags)
        print(json.dumps(["FOUND", list(dict.fromkeys(each[4][0] for each in found)), found[0][3]]))
    except socket.gaierror as error:
        print(json.dumps([KINDS.get(error.errno, error.errno), [], ""]))
    except OSError:  # EAI_SYSTEM, with an errno of long ago
        print(json.dumps(["NO_NAME", [], ""]))
"""
VARIABLES = {name: value for name, value in os.environb.items() if name in {b"LOCALDOMAIN", b"RES_OPTIONS"}}
_libc = ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments) < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")


def enter(etc: Path) -> None:
    """Go into namespaces of our own, with four files in /etc and an interface of our own."""
    uid, gid = os.geteuid(), os.getegid()
    call("unshare", CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET)
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        Path(f"/proc/self/{name}").write_text(text)
    call("mount", b"none", b"/", None, MS_PRIVATE_ALL, None)
    for name in FILES:
        (etc / name).touch()
    call("mount", b"tmpfs", b"/mnt", b"tmpfs", 0, None)
    # A whole folder is bound: a file alone couldn't be replaced by another. What else is in /etc stays to be had.
    for entry in os.scandir("/etc"):
        if entry.name not in FILES:
            (etc / entry.name).symlink_to(f"/mnt/etc/{entry.name}")
    os.mkdir("/mnt/etc")
    call("mount", b"/etc", b"/mnt/etc", None, MS_BIND | 16384, None)
    call("mount", bytes(etc), b"/etc", None, MS_BIND, None)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def put(files: dict[str, str | None]) -> None:
    """Replace files in /etc; None removes one."""
    for name, text in files.items():
        if text is None:
            Path("/etc", name).unlink(missing_ok=True)
        else:
            Path("/etc", f"{name}.new").write_text(text)
            os.rename(f"/etc/{name}.new", f"/etc/{name}")


def limit_ports(ports: str) -> None:
    """Say which ports the kernel may choose for connections."""
    Path("/proc/sys/net/ipv4/ip_local_port_range").write_text(ports)


def text(address: Address) -> str:
    family = socket.AF_INET if len(address.host) == 4 else socket.AF_INET6
    scope = f"%{socket.if_indextoname(address.scope)}" if address.scope else ""
    return socket.inet_ntop(family, address.host) + scope


def plain(found: Resolved) -> dict[str, Any]:
    return {
        "outcome": found.outcome.name,
        "addresses": [text(address) for address in found.addresses],
        "name": found.name.decode(),
        "aliases": [alias.decode() for alias in found.aliases],
        "lifetime": found.lifetime,
    }


async def carry_out(request: dict[str, Any], names: Names, servers: list[Server]) -> Any:
    match request:
        case {"files": files}:
            put(files)
        case {"addresses": action}:
            for address in ADDRESSES:
                await trio.run_process(["ip", "address", action, address, "dev", "lo", *["nodad"] * (":" in address)])
        case {"ports": ports}:
            limit_ports(ports)
        case {"glibc": asked}:
            command = [sys.executable, "-I", "-S", "-c", GLIBC, json.dumps(asked)]
            done = await trio.run_process(command, capture_stdout=True)
            return [json.loads(line) for line in done.stdout.splitlines()]
        case {"resolve": asked}:
            return [
                plain(await names.resolve(Resolve(name.encode(), Families(families), canonical, configured)))
                for name, families, canonical, configured in asked
            ]
        case {"reverse": host}:
            return plain(await names.reverse(Reverse(Address(bytes.fromhex(host), 0))))
        case {"query": message, "search": search}:
            try:
                return (await names.query(Query(bytes.fromhex(message), search))).message.hex()
            except RemoteError as error:
                return error.failure.kind.name
            except OSError as error:
                return error.errno
        case {"asked": _}:
            asked = [[*server.asked] for server in servers]
            for server in servers:
                server.asked.clear()
            return asked
        case {"messages": _}:
            return [message.hex() for message in servers[0].messages]
    return None


async def main() -> None:
    paths = Paths(os.open("/", os.O_PATH), process_ids=(os.getpid(),), start=0, outside_root=b"/")
    files = Files(paths, Watches())
    names = Names(files, Workers(4), Sockets(marked=True), hostname=b"host", variables=VARIABLES)
    servers = [
        Server(host, always=always) for host, always in zip(SERVERS, ("", "servfail", "silent", ""), strict=True)
    ]
    lines = trio.lowlevel.FdStream(os.dup(0))
    buffer = b""
    async with trio.open_nursery() as nursery:
        for server in servers:
            await nursery.start(server.run)
        print("ready", flush=True)
        while data := await lines.receive_some():
            buffer += data
            while b"\n" in buffer:
                line, _, buffer = buffer.partition(b"\n")
                print(json.dumps(await carry_out(json.loads(line), names, servers)), flush=True)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        enter(Path(folder))
        trio.run(main)
