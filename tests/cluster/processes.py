"""The daemons' processes: starting, knowing them again, ending them. What is decided about them is in machine.py."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from tests.cluster import configurations, host
from tests.cluster.daemons import Daemon
from tests.cluster.doing import wait_until
from tests.cluster.layout import Layout
from tests.cluster.machine import Act, Record, decide, read_record, runs, start_time
from tools.image.machine import key_of

BOOT = Path("/proc/sys/kernel/random/boot_id")
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
"""Nothing of the caller's: no proxies, no settings of Go's."""
WORDS = 15
"""Lines of a log that are shown when its daemon failed."""


def boot() -> str:
    """Return the name of this boot."""
    return BOOT.read_text().strip()


def started(pid: int) -> int | None:
    """When a process started; none if there is none."""
    try:
        return start_time(Path(f"/proc/{pid}/stat").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return None


def read(layout: Layout, name: str) -> Record | None:
    """Return what is recorded of a daemon."""
    try:
        return read_record((layout.records / name).read_text())
    except FileNotFoundError:
        return None


def is_running(layout: Layout, name: str) -> bool:
    """Whether a daemon runs."""
    record = read(layout, name)
    return runs(record, started(record.pid) if record else None, boot())


def key(layout: Layout, daemon: Daemon) -> str:
    """Return the key of what a daemon is started with."""
    texts = configurations.files(layout)
    program = Path(daemon.command[0])
    made = [str(path.stat().st_mtime_ns) for path in (layout.pki / ".made", program) if path.is_absolute()]
    return key_of(*daemon.command, *made, *(texts[name] for name in daemon.configurations))


def ensure(layout: Layout, daemon: Daemon) -> Act:
    """Start a daemon unless it runs already, as it should; return what was done."""
    record, wanted = read(layout, daemon.name), key(layout, daemon)
    act = decide(record, started(record.pid) if record else None, boot(), wanted)
    if act is Act.REPLACE:
        kill(layout, daemon.name)
    if act is not Act.KEEP:
        _start(layout, daemon, wanted)
    return act


def _start(layout: Layout, daemon: Daemon, key: str) -> None:
    """Start a daemon in a session of its own, in the cluster's control group and mount namespace."""
    inside = ("nsenter", f"--mount={layout.namespace}", "--", *daemon.command)
    group = host.daemons_group(layout) / "cgroup.procs"
    with (layout.log / daemon.name).open("ab") as log:
        process = subprocess.Popen(
            ("sh", "-c", 'echo $$ >"$0" && exec "$@"', str(group), *inside),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=ENVIRONMENT,
            start_new_session=True,
            umask=0o022,
        )
    start = started(process.pid)
    record = Record(process.pid, start or 0, boot(), key)
    (layout.records / daemon.name).write_text(record.text())
    process.returncode = 0  # it isn't waited for: it outlives this process


def kill(layout: Layout, name: str) -> None:
    """End a daemon at once, if it is the process that was recorded; returns when it is gone."""
    record = read(layout, name)
    if record is None:
        return
    try:
        handle = os.pidfd_open(record.pid)
    except ProcessLookupError:
        return
    try:
        if runs(record, started(record.pid), boot()):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            wait_until(lambda: not is_running(layout, name), 10, lambda: f"{name} (process {record.pid}) doesn't end")
    finally:
        os.close(handle)


def last_words(layout: Layout, name: str) -> str:
    """Return the end of a daemon's log, for people."""
    path = layout.log / name
    lines = path.read_text(errors="replace").splitlines()[-WORDS:] if path.exists() else []
    return "\n".join([f"{name} failed; its last words, from {path}:", *(f"  {line}" for line in lines)])
