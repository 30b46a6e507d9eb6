"""The demo: real programs look at a service that runs in namespaces of its own, and stand in for it.

Starts the service, runs each program under `mirrord exec` and once more for the truth, prints both side by side, and
fails if they differ. Needs root or a user namespace; leaves nothing behind.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.demo import network
from tests.kit.around import Around, start_around
from tests.kit.run import Runner
from tests.kit.target import Target, TargetUnavailable

HERE = Path(__file__).parent
PROGRAMS = {
    "python": [sys.executable, str(HERE / "look.py")],
    "bash": ["bash", str(HERE / "look.sh")],
}
EXPECTED_EXIT = {"python": 0, "bash": 7}
WIDTHS = (8, 36, 36, 36)


def fill(target: Target) -> None:
    """Give the service its files."""
    target.write("/srv/shop/config.json", '{"greeting": "Good morning, Zoë!", "currency": "EUR"}\n', mode=0o640)
    target.write("/srv/shop/motd", "Fresh pears today\n")
    for number in (1001, 1002, 1003):
        target.write(f"/srv/shop/orders/{number}.txt", f"order {number}\n2 pears\n{number % 7} plums\n")
    target.write("/srv/shop/stock.bin", b"".join(n.to_bytes(4, "big") for n in range(3_000_000)))
    target.link("/srv/shop/current", "orders")
    os.utime(target.path("/srv/shop/config.json"), ns=(1, 1_234_567_890_123_456_789))


def answers(process: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """What a program said, plus its exit code."""
    said = dict(line.split("\t", 1) for line in process.stdout.splitlines() if "\t" in line)
    return said | {"exit code": str(process.returncode)}


def run(command: list[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end in a folder that has nothing to do with the service."""
    return subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd="/",
    )


def row(*cells: str) -> str:
    """One line of the table; what doesn't fit is cut."""
    cut = (cell if len(cell) <= width else cell[: width - 1] + "…" for cell, width in zip(cells, WIDTHS, strict=False))
    return "  ".join(f"{cell:<{width}}" for cell, width in zip(cut, WIDTHS, strict=False)) + f"  {cells[-1]}"


def compare(name: str, target: Target, scratch: Path) -> int:
    """Run one program both ways and print its rows; how many differ."""
    command = PROGRAMS[name]
    here = dict(os.environ) | {"OUT": str(scratch)}
    seen = run([sys.executable, "-m", "mirrord_cli", "exec", "-q", "-t", target.name, "--", *command], here)
    there = {os.fsdecode(key): os.fsdecode(value) for key, value in target.environment().items()}
    truth = answers(run(command, here | there | {"ROOT": str(target.path(""))}))
    saw = answers(seen)
    different = 0
    for question in truth | saw:
        pair = saw.get(question, "(no answer)"), truth.get(question, "(no answer)")
        different += pair[0] != pair[1]
        print(row(name, question, *pair, "ok" if pair[0] == pair[1] else "DIFFERS"), flush=True)
    if seen.returncode != EXPECTED_EXIT[name] or seen.stderr:
        print(f"\n{name} ended with exit code {seen.returncode} and said on stderr:\n{seen.stderr}", file=sys.stderr)
        different += 1
    return different


def show(rows: Iterable[network.Row]) -> int:
    """Print rows; how many differ."""
    different = 0
    for name, question, saw, truth in rows:
        different += saw != truth
        print(row(name, question, saw, truth, "ok" if saw == truth else "DIFFERS"), flush=True)
    return different


def main() -> int:
    """Run the demo; the process's exit code."""
    started = time.monotonic()
    variables = {"SHOP_NAME": "Pears & Sons", "SHOP_SECRET": "sesame", "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    with tempfile.TemporaryDirectory(prefix="mirrord-demo-") as scratch:
        root, folder = Path(scratch, "root"), Path(scratch, "runs")
        root.mkdir()
        folder.mkdir()
        try:
            with start_around(variables, root=root) as around:
                fill(around.target)
                different = run_all(around, folder)
        except TargetUnavailable as error:
            print(
                "The demo needs namespaces of its own, and this machine gives none: run it as root, or allow user"
                " namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone)."
                f" The cause: {error}",
                file=sys.stderr,
            )
            return 1
    print(
        f"\n{'All as it is there' if not different else f'{different} differ'}, in {time.monotonic() - started:.1f} s."
    )
    return 1 if different else 0


def run_all(around: Around, folder: Path) -> int:
    """Print all rows; how many differ."""
    target, runner = around.target, Runner(folder)
    print("A service runs in namespaces of its own (mount, PID, network, host name), with its own files, variables and")
    print("network; beside it, a warehouse and a names' server that only it can reach.")
    print(f"These programs run here, on this machine, each as: mirrord exec -t {target.name} -- PROGRAM\n")
    print(row("program", "question", "saw under mirrord", "truth", ""))
    print(row(*("─" * width for width in WIDTHS), "──"))
    different = sum(compare(name, target, folder) for name in PROGRAMS)
    different += show(network.outgoing(around, runner))
    if reason := network.lacking():
        for verb in ("stolen", "mirrored"):
            print(row("server", f"{verb} request", "(not on this machine)", "", "left out"))
        print(f"\nRequests can't be stolen or mirrored here: {reason}.")
        return different
    return different + show(network.incoming(around, runner))


if __name__ == "__main__":
    sys.exit(main())
