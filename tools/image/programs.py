"""The programs of the machine that building an image takes: installed where that can be done, else named."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys


def say(text: str) -> None:
    """Tell whoever waits what is being done."""
    print(text, file=sys.stderr, flush=True)


def run(*command: str, **variables: str) -> str:
    """Run a program, quietly as long as all goes well; return its standard output. Exits with its words where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **variables})
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}{command[0]} failed (exit code {done.returncode}); its words are above")
    return done.stdout


def need_root() -> None:
    """Exit unless we are root: mmdebstrap and buildah make files of any owner."""
    if os.getuid():
        sys.exit("this needs root; docs/image.md says how to build the image with podman or docker instead")


def need(*programs: str) -> None:
    """Have Debian's programs of these names, which are those of their packages too; exits where they can't be had."""
    missing = [program for program in programs if not shutil.which(program)]
    if not missing:
        return
    if os.getuid() or not shutil.which("apt-get"):
        sys.exit(f"missing programs: {', '.join(missing)}; as root on Debian, run: apt-get install {' '.join(missing)}")
    say(f"installing {', '.join(missing)}")
    run("apt-get", "-qq", "update")
    options = ("-qq", "-o", "DPkg::Lock::Timeout=300", "install", "-y", "--no-install-recommends")
    run("apt-get", *options, *missing, DEBIAN_FRONTEND="noninteractive")
