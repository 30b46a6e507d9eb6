"""Ports of debuggers, as command lines and environments tell them: what helps on this machine must not be looked for in
the target. No I/O: processes/driver.py reads what processes were started with.

One function for each debugger, gathered in `DETECTORS`. They need not be asked for: a command line that names a
debugger's port says enough.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

LARGEST: Final = 0xFFFF
INTERPRETERS: Final = 8
"""So many arguments, at most, are an interpreter's own before the program's."""
SIDECARS: Final = (50000, 50001)
"""Ports that are a sidecar's of the target more often than a debugger's: a range doesn't mean them."""
NODE_DEFAULT: Final = 9229
NODE: Final = re.compile(r"(node|nodejs|ts-node|tsx|electron)", re.ASCII)
INSPECT: Final = re.compile(r"--(inspect|inspect-brk|inspect-wait|inspect-port|debug-port)(?:=(.*))?", re.ASCII)
JDWP: Final = re.compile(r"-agentlib:jdwp=.*|-Xrunjdwp:.*", re.ASCII)
JDWP_ADDRESS: Final = re.compile(r"[:=,]address=([^,]*)", re.ASCII)
IDEA_AGENT: Final = re.compile(r"-javaagent:.*idea_rt\.jar=([0-9]+)\b.*", re.ASCII)
JAVA_VARIABLES: Final = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS")
NODE_VALUES: Final = frozenset(
    {"-r", "--require", "--import", "--loader", "--experimental-loader", "-C", "--conditions"}
)
"""Options of Node whose value may stand apart."""
NODE_VARIABLES: Final = ("NODE_INSPECTOR_INFO", "VSCODE_INSPECTOR_OPTIONS")
LOOPBACK_PORT: Final = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1?\]):([0-9]{1,5})(?![0-9])", re.ASCII)
PORT: Final = re.compile(r"(?:.*:)?([0-9]{1,5})", re.ASCII | re.DOTALL)
DEBUGPY_FLAGS: Final = frozenset({"--wait-for-client", "--log-to-stderr", "--in-process-debug-adapter"})
"""Options of debugpy that have no value."""
Environment = Mapping[str, str]
Read = Callable[[str], str]


class BadPorts(ValueError):
    """A text doesn't name ports; says why."""


def parse_ports(text: str) -> tuple[tuple[int, int], ...]:
    """Return the ranges, first and last, of a text like `5678`, `45000-65535` or `9229,5000-5010`.

    Raises:
        BadPorts: It isn't one.
    """
    found: list[tuple[int, int]] = []
    for part in filter(None, re.split(r"[,;\s]+", text)):
        if not (match := re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", part, re.ASCII)):
            raise BadPorts(f"{part!r} is no port and no range of ports")
        first, last = int(match[1]), int(match[2] or match[1])
        if not 1 <= first <= last <= LARGEST:
            raise BadPorts(f"{part!r} isn't between 1 and {LARGEST}, the smaller first")
        for port in SIDECARS if first < last else ():
            if first <= port <= last:
                found.append((first, port - 1))
                first = port + 1
        found.append((first, last))
    return tuple((first, last) for first, last in found if first <= last)


def find_ports(arguments: Sequence[str], environment: Environment, read: Read = lambda _: "") -> frozenset[int]:
    """Return the ports of debuggers that a process was started with.

    Args:
        arguments: Its command line, with its name.
        environment: Its variables.
        read: Returns the text of a file of arguments (Java's `@FILE`), empty if there is none.
    """
    texts = (text for detect in DETECTORS.values() for text in detect(arguments, environment, read))
    return frozenset(port for text in texts if (port := _port(text)))


# ---------------------------------------------------------------------------------------------- each debugger


def _debugpy(arguments: Sequence[str], _: Environment, __: Read) -> Iterator[str]:
    """Python, as VS Code starts it: `debugpy --connect`, `--listen`, and its launcher, which is given the port alone."""
    for index, argument in enumerate(arguments[1:INTERPRETERS], 1):
        folder, name = os.path.split(argument)
        names = {name, os.path.basename(folder)} | set(name.split("."))
        if "debugpy" not in names:
            continue
        rest = _until_script(arguments[index + 1 :])
        yield from _values(rest, ("--connect", "--listen", "--for-server", "--port"))
        if name.endswith("launcher") and rest:
            yield rest[0]


def _pydevd(arguments: Sequence[str], _: Environment, __: Read) -> Iterator[str]:
    """Python, as PyCharm starts it: `pydevd.py --client HOST --port PORT --file SCRIPT`."""
    for index, argument in enumerate(arguments[1:INTERPRETERS], 1):
        if os.path.basename(argument) in {"pydevd", "pydevd.py"}:
            rest = arguments[index + 1 :]
            end = rest.index("--file") if "--file" in rest else len(rest)
            yield from _values(rest[:end], ("--port",))


def _resharper(arguments: Sequence[str], _: Environment, __: Read) -> Iterator[str]:
    """.NET, as Rider starts it."""
    yield from _values(arguments[1:], ("--frontend-port",), apart=False)


def _javaagent(arguments: Sequence[str], environment: Environment, read: Read) -> Iterator[str]:
    """Java: JDWP, and the agent of IntelliJ IDEA; also in files of arguments and in variables."""
    given = list(arguments[1:])
    if arguments and os.path.basename(arguments[0]) == "java":
        files = [argument[1:] for argument in given if argument.startswith("@")]
        given += (word for file in files for word in _words(read(file)))
    given += (word for name in JAVA_VARIABLES for word in _words(environment.get(name, "")))
    for argument in given:
        if JDWP.fullmatch(argument) and (address := JDWP_ADDRESS.search(argument)):
            yield address[1]
        elif agent := IDEA_AGENT.fullmatch(argument):
            yield agent[1]


def _nodeinspector(arguments: Sequence[str], environment: Environment, _: Read) -> Iterator[str]:
    """Node: `--inspect` and its kin, in arguments or NODE_OPTIONS; what editors tell their own scripts."""
    given = _words(environment.get("NODE_OPTIONS", ""))
    if arguments and NODE.fullmatch(os.path.basename(arguments[0])):
        for before, argument in pairwise(arguments):
            if not argument.startswith("-") and before not in NODE_VALUES:
                break
            given.append(argument)
    for argument in given:
        if match := INSPECT.fullmatch(argument):
            text = match[2] or ""
            yield text if _port(text) else str(NODE_DEFAULT)
    for name in NODE_VARIABLES:
        yield from _ports_within(environment.get(name, ""))


def _delve(arguments: Sequence[str], _: Environment, __: Read) -> Iterator[str]:
    """Go's debugger itself."""
    if arguments and os.path.basename(arguments[0]) == "dlv":
        end = arguments.index("--") if "--" in arguments else len(arguments)
        yield from _values(arguments[1:end], ("--listen", "-l", "--client-addr"))


DETECTORS: Final[Mapping[str, Callable[[Sequence[str], Environment, Read], Iterator[str]]]] = {
    "debugpy": _debugpy,
    "pydevd": _pydevd,
    "resharper": _resharper,
    "javaagent": _javaagent,
    "nodeinspector": _nodeinspector,
    "delve": _delve,
}
"""By the names that MIRRORD_DETECT_DEBUGGER_PORT has for them; the last is our own."""


# ---------------------------------------------------------------------------------------------- texts


def _values(arguments: Sequence[str], names: Iterable[str], *, apart: bool = True) -> Iterator[str]:
    """Yield the values of options, behind `=` or, if `apart`, as the next argument."""
    for index, argument in enumerate(arguments):
        for name in names:
            if argument == name and apart:
                yield from arguments[index + 1 : index + 2]
            elif argument.startswith(f"{name}="):
                yield argument.removeprefix(f"{name}=")


def _until_script(arguments: Sequence[str]) -> Sequence[str]:
    """Leave out the script that debugpy runs and what follows it: options there mean something else."""
    index = 0
    while index < len(arguments) and arguments[index].startswith("--") and arguments[index] != "--":
        index += 1 if "=" in arguments[index] or arguments[index] in DEBUGPY_FLAGS else 2
    return arguments[: max(index, 1)]


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # a quote without an end
        return text.split()


def _ports_within(text: str) -> Iterator[str]:
    """Yield ports from a text that holds JSON: members whose names end in `port`, and addresses of loopback."""
    start = text.find("{")
    yield from LOOPBACK_PORT.findall(text)
    if start < 0:
        return
    import json

    try:
        found = json.loads(text[start:])
    except (ValueError, RecursionError):
        return
    if isinstance(found, dict):
        for name, value in found.items():
            if name.lower().endswith("port") and type(value) in {int, str}:
                yield str(value)


def _port(text: str) -> int:
    """Return the port of `[host:]port`; 0 if there is none."""
    match = PORT.fullmatch(text)
    return int(match[1]) if match and int(match[1]) <= LARGEST else 0
