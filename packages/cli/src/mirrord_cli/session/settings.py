"""What the command line decided for a session, as plain values. The session never looks behind them.

commands/exec.py makes them, launch/ hands them over; both processes are one program until then, so nothing is encoded.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Mode(enum.Enum):
    """`feature.fs.mode`: where a path belongs that no pattern speaks of."""

    LOCAL = "local"
    LOCAL_WITH_OVERRIDES = "localwithoverrides"
    READ = "read"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRules:
    """Which side serves a path. Patterns are as the user wrote them, and were compiled once to see that they can be."""

    mode: Mode = Mode.READ
    read_only: tuple[str, ...] = ()
    local: tuple[str, ...] = ()
    not_found: tuple[str, ...] = ()
    mapping: tuple[tuple[str, str], ...] = ()
    """Pattern and replacement (`$1`, `${name}`), in the order of the file."""
    home: bytes
    """The developer's home, absolute and clean; so are the next three."""
    working_directory: bytes
    temporary: bytes
    executable: bytes
    """The program's own file."""
    installations: tuple[bytes, ...] = ()
    """Folders of this machine's programs and of what was installed with them; absolute and clean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentRules:
    """Which of the target's variables are asked for: wildcards of names (`*`, `?`)."""

    wanted: bool = True
    include: tuple[bytes, ...] = ()
    """Empty means all."""
    exclude: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalTarget:
    """A process on this machine, and when it was started, so that a reused PID is noticed."""

    pid: int
    start_time: int
    """In clock ticks since boot: field 22 of /proc/PID/stat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that a session needs to know."""

    target: LocalTarget
    agent_command: tuple[str, ...]
    """What starts an agent; the session appends the agent's own options."""
    files: FileRules
    environment: EnvironmentRules
    skipped_programs: tuple[bytes, ...] = ()
    """Base names of programs in which the layer stays inert."""
    library: bytes
    """The layer, to be preloaded."""
    time_to_live: float = 1.0
    """Seconds for which answers of the target hold where it can't tell of changes; 0 keeps nothing."""
    temporary_directory: bytes = b"/tmp"
    """Where large files are kept while programs have them open."""
    log_path: bytes | None = None
    """Where the session and its agent log, or nowhere."""
    user_id: int
    """Only this user's processes may connect."""
