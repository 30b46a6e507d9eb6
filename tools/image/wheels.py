"""The wheels that go into the image: ours from this checkout, and what they depend on for the image's Python.

They are fetched here, by this machine's pip as it is configured, so that nothing of that is inside the image.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TypedDict

from tools.image.programs import run

PACKAGES = Path(__file__).parent.parent.parent / "packages"
FOLDERS = (PACKAGES / "protocol", PACKAGES / "agent")
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
QUESTION = """
import json, sys
sys.path.append(sys.argv[1])
from pip._vendor.packaging.tags import sys_tags
tags = [(tag.interpreter, tag.abi, tag.platform) for tag in sys_tags()]
print(json.dumps({"python": "%d.%d" % sys.version_info[:2], "platforms": list(dict.fromkeys(tag[2] for tag in tags)),
                  "abis": list(dict.fromkeys(tag[1] for tag in tags))}))
"""


class Python(TypedDict):
    """The Python that an image has: its version, and the platforms and ABIs of wheels that it takes."""

    python: str
    platforms: list[str]
    abis: list[str]


def ours(folder: Path) -> None:
    """Put the wheels of this checkout, and pip's, into a folder."""
    for package in FOLDERS:
        run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(package))
    run(*PIP, "download", "--no-deps", "--only-binary=:all:", "--dest", str(folder), "pip")


def question(pip: str) -> list[str]:
    """Return the command that has a Python tell what it is, given where it finds pip's wheel."""
    return ["python3", "-Ic", QUESTION, pip]


def dependencies(folder: Path, python: Python) -> None:
    """Add what our wheels depend on, for that Python."""
    run(
        *PIP,
        "download",
        "--only-binary=:all:",
        "--implementation=cp",
        f"--python-version={python['python']}",
        *(f"--platform={platform}" for platform in python["platforms"]),
        *(f"--abi={abi}" for abi in python["abis"]),
        f"--dest={folder}",
        *map(str, folder.glob("mirrord_*.whl")),
    )
