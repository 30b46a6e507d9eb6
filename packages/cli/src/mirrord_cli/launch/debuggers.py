"""The ports of debuggers that stay on this machine: those the user names, and those that the program is started with.

What command lines and variables say is known in session/network/debuggers.py; the session looks at children itself.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from mirrord_cli.errors import MirrordError
from mirrord_cli.session.network.debuggers import DETECTORS, BadPorts, find_ports, parse_ports
from mirrord_cli.session.network.processes.driver import read_arguments

IGNORE = "MIRRORD_IGNORE_DEBUGGER_PORTS"
DETECT = "MIRRORD_DETECT_DEBUGGER_PORT"


def debugger_ports(arguments: Sequence[str], variables: Mapping[str, str]) -> tuple[tuple[int, int], ...]:
    """Return first and last of ranges of ports, in order.

    Args:
        arguments: The program's command line.
        variables: Its environment, as far as it is known before the target's is.

    Raises:
        MirrordError: The user named something else than ports.
    """
    try:
        named = parse_ports(variables.get(IGNORE, ""))
    except BadPorts as error:
        text = f"The variable {IGNORE} names no ports: {error}."
        raise MirrordError(
            "configuration", text, "Write a port, a range or a list: 5678 or 5678,45000-49999."
        ) from None
    found = find_ports(arguments, variables, lambda name: read_arguments(os.curdir, name))
    return tuple(sorted({*named, *((port, port) for port in found)}))


def unknown_detector(variables: Mapping[str, str]) -> str | None:
    """Return a warning if the user wants a debugger detected that isn't known. All that are known are looked for."""
    wanted = variables.get(DETECT)
    if not wanted or wanted in DETECTORS:
        return None
    return f"The variable {DETECT} is {wanted!r}, and known are {', '.join(DETECTORS)}: it has no effect."
