"""A minimal root file system of this machine's own Debian release, by mmdebstrap: what an image begins with.

It is fetched as this machine's apt fetches, and has nothing of that inside.
"""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.image.machine import key_of, sources
from tools.image.programs import need, run, say

WITHOUT = ("/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/man/*")
CLEANED = (
    "/etc/apt/sources.list",
    "/etc/apt/sources.list.d/*",
    "/etc/apt/apt.conf.d/99mmdebstrap",
    "/etc/dpkg/dpkg.cfg.d/99mmdebstrap",
    "/var/log/*",
)
EMPTIED = ("/etc/hostname", "/etc/hosts", "/etc/resolv.conf")
"""Files that a container's runtime covers with its own; mmdebstrap makes them like this machine's."""
FETCHING = ("Acquire::Check-", "Acquire::http", "Acquire::https", "Acquire::Retries")


def rootfs(folder: Path, packages: Sequence[str], *, fresh: bool = False) -> Path:
    """Return an archive (tar) of a system with `packages`, made before or now, in `folder`."""
    if not shutil.which("apt-get"):
        sys.exit("a base can be made on Debian and its like only; name one with --base")
    need("mmdebstrap")
    release = platform.freedesktop_os_release()["VERSION_CODENAME"]
    key = key_of(release, *packages, *CLEANED, *EMPTIED, *WITHOUT)
    archive = folder / f"{release}-{key}.tar"
    if archive.exists() and not fresh:
        return archive
    say(f"making a minimal {release} with {', '.join(packages)}")
    folder.mkdir(parents=True, exist_ok=True)
    wanted = ("--format", "$(REPO_URI) $(RELEASE) $(COMPONENT) $(SIGNED_BY)", "Created-By: Packages")
    made = archive.with_suffix(".part.tar")
    run(
        "mmdebstrap",
        "--quiet",
        "--variant=minbase",
        f"--include={','.join(packages)}",
        *(f"--aptopt={option}" for option in run("apt-config", "dump").splitlines() if option.startswith(FETCHING)),
        *(f"--dpkgopt=path-exclude={path}" for path in WITHOUT),
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        *(f'--customize-hook=rm -rf "$1"{path}' for path in CLEANED),
        *(f'--customize-hook=: > "$1"{path}' for path in EMPTIED),
        release,
        str(made),
        *sources(run("apt-get", "indextargets", *wanted).splitlines(), release),
    )
    made.rename(archive)
    return archive
