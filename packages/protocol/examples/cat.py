"""Print files of a running process's world, as cat(1) does: `python cat.py PID PATH...`.

The paths are the process's: in its root, with its rights. It needs mirrord-agent beside this Python or in PATH.
"""

from __future__ import annotations

import argparse
import os
import sys

import trio

from mirrord_protocol import Client, ConnectionLost, RemoteError, open_agent


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the options; exits for `--help` and mistakes."""
    parser = argparse.ArgumentParser(description="Print files as another process sees them.")
    parser.add_argument("pid", metavar="PID", type=int, help="the process whose files they are")
    parser.add_argument("paths", metavar="PATH", nargs="+", help="an absolute path in the process's root")
    return parser.parse_args(arguments)


async def print_file(client: Client, path: str) -> bool:
    """Write a file to standard output; tell whether that went well."""
    try:
        async for chunk in client.read_chunks(os.fsencode(path)):
            sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
    except RemoteError as error:
        print(f"cat.py: {path}: {error}", file=sys.stderr)
        return False
    return True


async def run(pid: int, paths: list[str]) -> int:
    """Print all files; return the exit code."""
    try:
        async with open_agent(pid, environment=False) as client:
            printed = [await print_file(client, path) for path in paths]
    except (OSError, RemoteError, ConnectionLost) as error:
        print(f"cat.py: process {pid}: {error}", file=sys.stderr)
        return 1
    return 0 if all(printed) else 1


def main() -> int:
    """Run the program."""
    options = parse()
    code = 130
    try:
        code = trio.run(run, options.pid, options.paths)
    except* KeyboardInterrupt:
        pass
    return code


if __name__ == "__main__":
    sys.exit(main())
