"""The agent as a program: its options, its port or its connection, and what has to be ready before all else is loaded.

The rest is life/driver.py's. It is loaded behind an open port, so that whoever comes there first waits, and isn't refused.
"""

from __future__ import annotations

import os
import socket
import sys
from types import TracebackType

from mirrord_agent import options
from mirrord_agent.listening.origins.driver import Origins
from mirrord_agent.log import Log
from mirrord_agent.options import ContainerTarget
from mirrord_agent.starting.driver import LastWords, end_when_told, go_first, listen

USAGE = 2
UNAVAILABLE = 69
DEFECT = 70


def main(arguments: list[str] | None = None) -> int:
    """Run an agent to the end of its session."""
    chosen = options.parse(sys.argv[1:] if arguments is None else arguments)
    end_when_told()
    log, words = Log(chosen.log_level), LastWords(chosen.termination_log)

    def on_defect(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        words.say(f"A defect of the agent ({kind.__name__}); its log has the rest.")
        log("error", "a defect", exc_info=(kind, error, traceback))
        os._exit(DEFECT)

    sys.excepthook = on_defect
    os.chdir("/")
    origins: Origins | None = None
    if chosen.connected_fd is not None:
        connection = _connection(chosen.connected_fd)
        if connection is None:
            print(
                f"mirrord-agent: descriptor {chosen.connected_fd} is no connected Unix stream socket", file=sys.stderr
            )
            return USAGE
    else:
        try:
            connection = listen(chosen.port)
        except OSError as error:
            text = f"The agent can't listen on port {chosen.port} of the loopback: {error.strerror}."
            words.say(text)
            print(f"mirrord-agent: {text}", file=sys.stderr)
            return UNAVAILABLE
        if isinstance(chosen.target, ContainerTarget):
            try:
                origins = Origins(connection.family)
            except OSError as error:
                log("warning", "it can't be seen who connects", reason=str(error))
        go_first()

    from mirrord_agent.life.driver import run

    return run(chosen, connection, origins, log, words)


def _connection(fd: int) -> socket.socket | None:
    try:
        connection = socket.socket(fileno=fd)
    except OSError:
        return None
    try:
        connection.getpeername()
    except OSError:
        return None
    right = connection.family == socket.AF_UNIX and connection.type == socket.SOCK_STREAM
    return connection if right else None


if __name__ == "__main__":
    sys.exit(main())
