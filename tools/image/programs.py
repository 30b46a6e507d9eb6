"""The programs of the machine that building an image takes: installed where that can be done, else named."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence


def say(text: str) -> None:
    """Tell whoever waits what is being done."""
    print(text, file=sys.stderr, flush=True)


def run(*command: str, **variables: str) -> str:
    """Run a program that says nothing as long as all goes well; return its standard output.

    Exits with its own words where it fails.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **variables})
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}\n{command[0]} failed; its words are above. It was called as\n{command}")
    return done.stdout


def need_root() -> None:
    """Exit unless we are root: mmdebstrap and buildah make files of any owner."""
    if os.getuid():
        sys.exit("only root can build it here; docs/image.md has the way with podman or docker")


def need(*programs: str) -> None:
    """Have Debian's programs of these names, which are those of their packages too; exits where they can't be had."""
    missing = [program for program in programs if not shutil.which(program)]
    if not missing:
        return
    if os.getuid() or not shutil.which("apt-get"):
        sys.exit(f"missing programs: {', '.join(missing)}; as root on Debian, run: apt-get install {' '.join(missing)}")
    say(f"installing {', '.join(missing)}")
    run("apt-get", "-qq", "update")
    install = "apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends".split()
    run(*install, *missing, DEBIAN_FRONTEND="noninteractive")


def lines(command: Sequence[str]) -> list[str]:
    """What a program prints, by lines."""
    return run(*command).splitlines()
