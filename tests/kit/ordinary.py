"""Becomes an ordinary user who can read some folders wherever they are: `ordinary.py UID FOLDER ... -- COMMAND ...`.

A program that stands alone, for root. A checkout or an interpreter may lie below a folder that only root may enter.
In a mount namespace of its own, such a folder is covered by an empty one in which nothing but the wanted folders is
there. Then all rights are given up, and the command is executed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from remote import CLONE_NEWNS, MS_BIND, MS_PRIVATE_ALL, call  # type: ignore[import-not-found]


def closed(folder: Path) -> Path | None:
    """The topmost folder above (or it) that others may not enter."""
    return next((each for each in (*reversed(folder.parents), folder) if not each.stat().st_mode & 0o005), None)


def uncover(cover: Path, folders: list[Path], stash: Path) -> None:
    """Cover a folder so that others may enter it, and find the wanted ones in it."""
    stash.mkdir()
    call("mount", bytes(cover), bytes(stash), None, MS_BIND, None)
    call("mount", b"none", bytes(cover), b"tmpfs", 0, b"mode=755")
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        call("mount", bytes(stash / folder.relative_to(cover)), bytes(folder), None, MS_BIND, None)


def main() -> None:
    """Become the command."""
    uid, end = int(sys.argv[1]), sys.argv.index("--")
    here = os.getcwd()
    wanted = [Path(each).resolve() for each in sys.argv[2:end]]
    call("unshare", CLONE_NEWNS)
    call("mount", b"none", b"/", None, MS_PRIVATE_ALL, None)
    covers: dict[Path, list[Path]] = {}
    for folder in wanted:
        if cover := closed(folder):
            covers.setdefault(cover, []).append(folder)
    if covers:
        call("mount", b"none", b"/mnt", b"tmpfs", 0, b"mode=700")
    for number, (cover, folders) in enumerate(covers.items()):
        uncover(cover, folders, Path("/mnt") / str(number))
    os.chdir(here)
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    os.execvp(sys.argv[end + 1], sys.argv[end + 1 :])


if __name__ == "__main__":
    main()
