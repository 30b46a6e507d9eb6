"""Starts targets for tests, the demo and the benchmarks, and knows the truth about them.

The process itself is `remote`; this is its handle on our side. Files are put into its root from outside, and the truth
is read the same way, past every part of mirrord.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


class TargetUnavailable(Exception):
    """This machine allows no target of that kind; the text says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """A running target."""

    process: subprocess.Popen[bytes]
    pid: int
    root: Path
    """Where we see its root. Absolute symbolic links below it would lead into ours."""

    @property
    def name(self) -> str:
        """What `--target` wants."""
        return f"process/{self.pid}"

    def path(self, remote: str) -> Path:
        """Where we see its file `remote`."""
        return Path(f"{self.root}{remote}")

    def write(self, remote: str, content: bytes | str = b"", *, mode: int = 0o644) -> Path:
        """Put a file into the target."""
        path = self.path(remote)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)
        return path

    def link(self, remote: str, to: str) -> None:
        """Put a symbolic link into the target."""
        path = self.path(remote)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(to)

    def environment(self) -> dict[bytes, bytes]:
        """The environment it was started with."""
        pairs = Path(f"/proc/{self.pid}/environ").read_bytes().rstrip(b"\0").split(b"\0")
        return dict(tuple(pair.split(b"=", 1)) for pair in pairs if b"=" in pair)  # type: ignore[misc]

    def kill(self) -> None:
        """End it as a crash would, and wait until it is gone."""
        os.kill(self.pid, 9)
        self.process.wait()


@contextmanager
def start_target(
    environment: Mapping[str, str] | None = None, *, isolated: bool = True, root: Path | None = None
) -> Iterator[Target]:
    """Run a target until the block ends: plain, or isolated, with a root that lives in memory or in the folder `root`.

    Raises:
        TargetUnavailable: the machine allows no namespaces.
    """
    remote = Path(__file__).with_name("remote.py")
    arguments = [sys.executable, "-I", "-S", "-B", str(remote), "isolated" if isolated else "plain"]
    arguments += [str(root)] if root else []
    process = subprocess.Popen(
        arguments,
        env=dict(environment or {}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    with process:
        assert process.stdin and process.stdout and process.stderr
        line = process.stdout.readline()
        try:
            if not line:
                raise TargetUnavailable(process.stderr.read().decode(errors="replace").strip().rpartition("\n")[2])
            seen = root or Path(f"/proc/{int(line)}/root")
            yield Target(process, int(line), seen if isolated else Path("/"))
        finally:
            process.stdin.close()
            process.wait()
