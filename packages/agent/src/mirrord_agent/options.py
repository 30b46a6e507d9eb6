"""The command line of the agent: its options, their help, and their values. No I/O.

The session writes this command line; a person sees it only to find out what the program is.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from mirrord_agent import __version__

LEVELS = ("debug", "info", "warning", "error")
DIGEST_SIZE = 32
DESCRIPTION = """\
The process of mirrord that acts beside the target: it reads the target's environment and opens the target's files,
confined to the target's root and with no more rights over files than the target's user has; it finds names as the
target would, and connects from the target's network.

A session starts it, over a connected Unix socket that it inherits, and it ends with that session or with the target.
It does nothing for a session that doesn't show the token whose SHA-256 was given here.
"""
EPILOG = """\
Standard output gets one line of JSON when the agent is ready, standard error its log, in JSON too.
The exit code is 0 when the session has ended, 2 for a command line that makes no sense, 70 for a defect of the agent.
A target that can't be served is no error here: the session is told, with the reason.
"""


@dataclass(frozen=True, slots=True)
class Options:
    target_pid: int
    target_start: int
    connected_fd: int
    token_digest: bytes
    log_level: str


def parse(arguments: Sequence[str]) -> Options:
    """Return the options; exits as argparse does for `--help`, `--version` and mistakes."""
    parsed = _parser().parse_args(arguments)
    return Options(
        target_pid=parsed.target_pid,
        target_start=parsed.target_start,
        connected_fd=parsed.connected_fd,
        token_digest=parsed.token_digest,
        log_level=parsed.log_level,
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
    parser.add_argument(
        "--target-pid", metavar="PID", type=_positive, required=True, help="the process whose environment and files"
    )
    parser.add_argument(
        "--target-start",
        metavar="TICKS",
        type=_natural,
        required=True,
        help="when it was started, field 22 of /proc/PID/stat, so that a reused PID is noticed",
    )
    parser.add_argument(
        "--connected-fd",
        metavar="N",
        type=_natural,
        required=True,
        help="the inherited descriptor of a connected Unix stream socket: the session's connection",
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


def _digest(text: str) -> bytes:
    try:
        digest = bytes.fromhex(text)
    except ValueError:
        digest = b""
    if len(digest) != DIGEST_SIZE:
        raise argparse.ArgumentTypeError("not a SHA-256 in hexadecimal digits")  # its text isn't repeated: it may leak
    return digest
