"""What our figures stand beside: two socat hops, and the plain system."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from mirrord_layer_unix import build


def socat_throughput(file: Path, folder: Path) -> float:
    """Megabytes a second of a file that comes through two socats, each over a unix socket."""
    first, second = folder / "first", folder / "second"
    hops = [
        ["socat", "-b", "65536", "-u", f"OPEN:{file},rdonly", f"UNIX-LISTEN:{first}"],
        ["socat", "-b", "65536", f"UNIX-LISTEN:{second}", f"UNIX-CONNECT:{first}"],
    ]
    processes = []
    for hop, path in zip(hops, (first, second), strict=True):
        processes.append(subprocess.Popen(hop))
        wait_for(path)
    with socket.socket(socket.AF_UNIX) as connection:
        buffer, received, start = bytearray(1 << 20), 0, time.perf_counter()
        connection.connect(str(second))
        while got := connection.recv_into(buffer):
            received += got
        seconds = time.perf_counter() - start
    for process in processes:
        process.wait()
    assert received == file.stat().st_size
    return received / seconds / 1e6


def wait_for(path: Path) -> None:
    """Wait until a socket exists."""
    wait(path.exists)


def wait(true: Callable[[], object]) -> None:
    """Wait for what another process does, which tells nobody."""
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end, "it did not come"
        select.select([], [], [], 0.005)


def compiled(name: str, folder: Path, *flags: str) -> str:
    """Compile a program of the benchmarks; its path."""
    source, made = Path(__file__).parent / "programs" / f"{name}.c", folder / name
    subprocess.run([build.zig()[0], "cc", "-O2", *flags, "-o", str(made), str(source)], check=True)
    return str(made)


def ratios(plain: Sequence[str], layered: Sequence[str], environment: dict[str, str], times: int = 5) -> list[float]:
    """How many times as long the layered program's calls take: the least of several runs, one after the other."""
    best: dict[int, list[float]] = {}
    for _ in range(times):
        for which, command in enumerate((plain, layered)):
            done = subprocess.run(list(command), env=environment, capture_output=True, text=True, check=True)
            seen = [float(word) for word in done.stdout.split()]
            best[which] = [min(pair) for pair in zip(best.get(which, seen), seen, strict=True)]
    return [layer / plain_ for plain_, layer in zip(best[0], best[1], strict=True)]


def resident(pid: int) -> float:
    """Resident memory of a process in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(pid)


def page_cache(file: Path) -> None:
    """Read a file once, so that no run waits for a disk."""
    with open(file, "rb") as opened:
        while opened.read(1 << 20):
            pass
    os.sync()
