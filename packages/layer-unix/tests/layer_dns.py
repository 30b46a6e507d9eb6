"""Runs a program on a machine of its own whose names are those of layer_names.py: `layer_dns.py FOLDER PROGRAM ...`.

Started by `in_namespace()` with network, mount and host name namespaces of its own. Port 53 of loopback is a DNS server
there; FOLDER takes the resolver's files. Ends as the program does.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from layer_names import HOSTNAME, resolver_files, respond

ADDRESSES = ("198.51.100.7/32", "2001:db8::7/128")
"""The machine's own, so that both families count as configured."""


def in_namespace(folder: Path, *command: str) -> list[str]:
    """Return the command that runs a program there."""
    namespaces = ["unshare", "--net", "--mount", "--uts", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    return [*namespaces, sys.executable, str(Path(__file__).resolve()), str(folder), *command]


def forever(serve: Callable[[], None]) -> None:
    """Serve in a thread that ends with the process."""

    def loop() -> None:
        while True:
            serve()

    threading.Thread(target=loop, daemon=True).start()


def start_server() -> None:
    """Answer questions on port 53, by UDP and TCP."""
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("127.0.0.1", 53))
    listener = socket.create_server(("127.0.0.1", 53))

    def answer_datagram() -> None:
        data, peer = datagrams.recvfrom(65535)
        datagrams.sendto(respond(data, room=512), peer)

    def answer_connection() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rwb") as stream:
            while head := stream.read(2):
                data = respond(stream.read(int.from_bytes(head, "big")))
                stream.write(len(data).to_bytes(2, "big") + data)
                stream.flush()

    forever(answer_datagram)
    forever(answer_connection)


def main() -> int:
    """Prepare the machine and run the program; its exit code."""
    folder, *command = sys.argv[1:]
    socket.sethostname(HOSTNAME)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in ADDRESSES:
        subprocess.run(["ip", "address", "add", address, "dev", "lo"], check=True)
    for path, file in resolver_files(Path(folder)).items():
        subprocess.run(["mount", "--bind", str(file), path], check=True)
    start_server()
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
