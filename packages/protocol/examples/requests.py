"""Log the requests that come to a port of a running process: `python requests.py PID PORT`.

The process goes on to answer them; this program gets a copy. It needs mirrord-agent beside this Python or in PATH, and
the rights to make rules in the process's network: NET_ADMIN.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator

import trio

from mirrord_protocol import ConnectionLost, ConnectionStream, RemoteError, SubscribeMode, open_agent

REQUEST = re.compile(rb"[A-Z]+ \S+ HTTP/1\.[01]")
LONGEST = 8192
"""Bytes of a line after which it is none."""


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the options; exits for `--help` and mistakes."""
    parser = argparse.ArgumentParser(description="Log the HTTP requests that come to a port of another process.")
    parser.add_argument("pid", metavar="PID", type=int, help="the process that is asked")
    parser.add_argument("port", metavar="PORT", type=int, help="the TCP port on which it listens")
    return parser.parse_args(arguments)


def log(*words: object) -> None:
    """Print a line at once."""
    print(*words, flush=True)


async def log_connection(stream: ConnectionStream) -> None:
    """Print each line that looks like a request's first, and how the connection ended."""
    peer, waiting, size = stream.connection.peer, b"", 0
    log(peer, "connected")
    async with stream:
        try:
            async for data in stream:
                size += len(data)
                *lines, waiting = (waiting + data).split(b"\n")
                for line in lines:
                    if REQUEST.fullmatch(line.rstrip(b"\r")):
                        log(peer, line.decode(errors="backslashreplace").rstrip())
                waiting = waiting[-LONGEST:]
        except trio.BrokenResourceError as error:
            log(peer, f"broke after {size} bytes: {error}")
        else:
            log(peer, f"ended after {size} bytes")


def each(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    """Yield the exceptions of a group and of the groups in it."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from each(error)
        else:
            yield error


async def run(pid: int, port: int) -> int:
    """Log until the process, the agent or the subscription ends; return the exit code."""
    try:
        async with (
            open_agent(pid, environment=False) as client,
            client.incoming(port, SubscribeMode.MIRROR) as connections,
            trio.open_nursery() as nursery,
        ):
            log("logging requests to port", port)
            async for stream in connections:
                nursery.start_soon(log_connection, stream)
    except* (OSError, RemoteError, ConnectionLost) as errors:
        for text in sorted({str(error) for error in each(errors)}):
            print(f"requests.py: process {pid}, port {port}: {text}", file=sys.stderr)
    return 1


def main() -> int:
    """Run the program."""
    options = parse()
    code = 130
    try:
        code = trio.run(run, options.pid, options.port)
    except* KeyboardInterrupt:
        pass
    return code


if __name__ == "__main__":
    sys.exit(main())
