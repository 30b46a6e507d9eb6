"""The test kit's command line: `python -m mirrord_protocol.testing relay --help`. What it runs is in driver.py."""

from __future__ import annotations

import argparse
import socket
import sys
import threading

from mirrord_protocol.testing.driver import relay, relay_connections

OPTION = "--connected-fd"
DESCRIPTION = """\
Starts COMMAND between itself and a connected socket, and lets each byte take longer, so that a connection on one
machine looks like one over a network. The text {fd} in COMMAND becomes the number of COMMAND's own socket. Without
`--connected-fd` before it, the number after COMMAND's own `--connected-fd` is taken and replaced: so the relay can
stand before any command that is given a connected socket in this way.
"""
DESCRIPTION_TO = """\
Listens on a port of 127.0.0.1, which it prints, and carries each connection to an address, as over a network: each byte
takes longer, and so does the handshake. Ends with its input.
"""


def main(arguments: list[str]) -> int:
    """Run the command line; return the exit code of the relayed command."""
    parser = argparse.ArgumentParser(prog="python -m mirrord_protocol.testing")
    commands = parser.add_subparsers(required=True)
    relays = commands.add_parser("relay", description=DESCRIPTION, help="add delay between two processes")
    relays.add_argument("--delay", type=float, required=True, metavar="SECONDS", help="of each way")
    relays.add_argument(OPTION, type=int, metavar="N", help="the connected socket")
    relays.add_argument("command", nargs="+", metavar="COMMAND", help="after --")
    relays_to = commands.add_parser("relay-to", description=DESCRIPTION_TO, help="add delay before an address")
    relays_to.add_argument("--delay", type=float, required=True, metavar="SECONDS", help="of each way")
    relays_to.add_argument("host", metavar="HOST")
    relays_to.add_argument("port", type=int, metavar="PORT")
    options = parser.parse_args(arguments)
    if "host" in options:
        return _relay_to(options.host, options.port, options.delay)
    number, command = options.connected_fd, list(options.command)
    if number is None:
        try:
            at = command.index(OPTION) + 1
            number, command[at] = int(command[at]), "{fd}"
        except (ValueError, IndexError):
            parser.error(f"no {OPTION} N, neither before COMMAND nor in it")
    return relay(socket.socket(fileno=number), command, options.delay)


def _relay_to(host: str, port: int, delay: float) -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=relay_connections, args=(listener, (host, port), delay), daemon=True).start()
        print(listener.getsockname()[1], flush=True)
        sys.stdin.buffer.read()
        listener.shutdown(socket.SHUT_RDWR)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
