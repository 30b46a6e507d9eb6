"""The command line of the agent: its options, their help, and their values. No I/O.

The session, or the specification of a pod, has this command line; a person sees it only to find out what the program is.
Nothing large is imported here: an agent's port is open before anything is.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import NamedTuple

from mirrord_agent import __version__

LEVELS = ("debug", "info", "warning", "error")
DIGEST_SIZE = 32
DESCRIPTION = """\
The process of mirrord that acts beside the target: it reads the target's environment and opens the target's files,
confined to the target's root and with no more rights over files than the target's user has; it finds names as the
target would, and connects from the target's network.

A session starts it on its own machine, over a connected Unix socket that it inherits; in a cluster it is started in a
pod and waits for its session on a port of the loopback. It ends with that session or with the target.
It does nothing for a session that doesn't show the token whose SHA-256 was given here.
"""
EPILOG = """\
Standard output gets one line of JSON when the agent is ready, standard error its log, in JSON too.
The exit code is 0 when the session has ended, or none has come, or at SIGTERM; 2 for a command line that makes no sense;
69 for an agent that listens, if it can't, or if its target can't be served; 70 for a defect of the agent.
If a target can't be served, the session is told why.
"""
LARGEST_PORT = 0xFFFF


class ProcessTarget(NamedTuple):
    """A process, and when it was started."""

    pid: int
    start: int | None


class ContainerTarget(NamedTuple):
    """The main process of a container."""

    id: str


class OwnTarget(NamedTuple):
    """The agent itself."""


class Options(NamedTuple):
    target: ProcessTarget | ContainerTarget | OwnTarget
    token_digest: bytes
    connected_fd: int | None = None
    port: int = 0
    """To listen on, where there is no `connected_fd`."""
    owner: str | None = None
    communication_timeout: float = 30
    log_level: str = "info"
    termination_log: str | None = None


def parse(arguments: Sequence[str]) -> Options:
    """Return the options; exits as argparse does for `--help`, `--version` and mistakes."""
    parser = _parser()
    parsed = parser.parse_args(arguments)
    if parsed.target_start is not None and parsed.target_pid is None:
        parser.error("argument --target-start: only with --target-pid")
    target: ProcessTarget | ContainerTarget | OwnTarget = OwnTarget()
    if parsed.target_container is not None:
        target = ContainerTarget(parsed.target_container)
    elif parsed.target_pid is not None:
        target = ProcessTarget(parsed.target_pid, parsed.target_start)
    return Options(
        target=target,
        token_digest=parsed.token_digest,
        connected_fd=parsed.connected_fd,
        port=parsed.listen or 0,
        owner=parsed.owner,
        communication_timeout=parsed.communication_timeout,
        log_level=parsed.log_level,
        termination_log=parsed.termination_log,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mirrord-agent",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"mirrord-agent {__version__}")
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--target-pid", metavar="PID", type=_positive, help="the target: a process of this machine")
    target.add_argument(
        "--target-container", metavar="ID", type=_container, help="the target: the main process of this container"
    )
    target.add_argument("--target-self", action="store_true", help="the target: the agent itself")
    parser.add_argument(
        "--target-start",
        metavar="TICKS",
        type=_natural,
        help="with --target-pid: when it was started, field 22 of /proc/PID/stat, so that a reused PID is noticed",
    )
    way = parser.add_mutually_exclusive_group(required=True)
    way.add_argument(
        "--connected-fd",
        metavar="N",
        type=_natural,
        help="the inherited descriptor of a connected Unix stream socket: the session's connection",
    )
    way.add_argument(
        "--listen",
        metavar="PORT",
        type=_port,
        help="wait for the session on this port of the loopback: 127.0.0.1, or ::1 where there is no IPv4",
    )
    parser.add_argument(
        "--owner",
        metavar="TEXT",
        help="whose session it is, for those who find a port taken; default: that of the connected process, if any",
    )
    parser.add_argument(
        "--communication-timeout",
        metavar="SECONDS",
        type=_seconds,
        default=30.0,
        help="with --listen: end if no session has come within so long; default: 30",
    )
    parser.add_argument(
        "--termination-log", metavar="FILE", help="write why the agent ended, in a sentence, to this file"
    )
    parser.add_argument(
        "--token-digest", metavar="HEX", type=_digest, required=True, help="SHA-256 of the session's token"
    )
    parser.add_argument(
        "--log-level", metavar="LEVEL", choices=LEVELS, default="info", help=f"{', '.join(LEVELS)}; default: info"
    )
    return parser


def _natural(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > len(str(1 << 64)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return int(text)


def _positive(text: str) -> int:
    number = _natural(text)
    if not 0 < number < 1 << 31:
        raise argparse.ArgumentTypeError(f"{text!r} is not a PID")
    return number


def _port(text: str) -> int:
    number = _natural(text)
    if not 0 < number <= LARGEST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port")
    return number


def _seconds(text: str) -> float:
    number = _natural(text)
    if not number:
        raise argparse.ArgumentTypeError("0 seconds are too few")
    return float(number)


def _container(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a container's id: 64 hexadecimal digits")
    return text


def _digest(text: str) -> bytes:
    try:
        digest = bytes.fromhex(text)
    except ValueError:
        digest = b""
    if len(digest) != DIGEST_SIZE:
        raise argparse.ArgumentTypeError("not a SHA-256 in hexadecimal digits")  # its text isn't repeated: it may leak
    return digest
