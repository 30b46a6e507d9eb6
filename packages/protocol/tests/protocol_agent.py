"""An agent for tests of what starts one: the command line of `mirrord-agent`, files from a dict."""

from __future__ import annotations

import argparse
import socket

import trio

from mirrord_protocol.server import serve
from protocol_service import Service


def main() -> None:
    """Serve one session; `--refuse` ends before the first word."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--target-pid", type=int)
    parser.add_argument("--target-start", type=int)
    parser.add_argument("--connected-fd", type=int)
    parser.add_argument("--token-digest", type=bytes.fromhex)
    parser.add_argument("--refuse", action="store_true")
    options = parser.parse_args()
    connected = socket.socket(fileno=options.connected_fd)
    if options.refuse:
        connected.close()
        return
    service = Service({b"/pid": b"%d %d" % (options.target_pid, options.target_start)})

    async def run() -> None:
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(connected))
        await serve(stream, token_digest=options.token_digest, service=service)

    trio.run(run)


if __name__ == "__main__":
    main()
