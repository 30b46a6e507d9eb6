"""The default rules: which paths are whose where no pattern of the user's speaks. Data only; rules.py applies it.

They are mirrord's, since people's programs rely on them. All are compared without case (ASCII's), as they are there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from mirrord_cli.session.paths import ROOT, join
from mirrord_cli.session.settings import FileRules

NOT_FOUND_AT_HOME: Final = (b".aws", b".azure", b".config/gcloud", b".kube")
"""The developer's own credentials: a program that is to be the target must not use them."""
REMOTE: Final = (b"/etc/hostname", b"/etc/hosts", b"/etc/resolv.conf", b"/etc/ssl/certs")
"""Remote for reading in every mode but `local`."""
LOCAL: Final = (
    b"/bin", b"/dev", b"/etc", b"/home", b"/lib", b"/lib32", b"/lib64", b"/libx32", b"/nix", b"/opt", b"/proc", b"/run",
    b"/sbin", b"/selinux", b"/snap", b"/sys", b"/tmp", b"/usr", b"/var/db/timezone/zoneinfo", b"/var/tmp",
)  # fmt: skip
"""Folders of the system: what runs here was installed here."""
LOCAL_NAMES: Final = rb"""
    [^/] \. (?: so (?: \.[0-9]+ )* | d | sh | rb | py | pyc | pth | js | jar | class | dll | plist ) \Z
    | \.pdb \Z
    | venv\.cfg \Z
    | / (?: jvm\.cfg | package\.json | \.yarnrc (?: \.yml | \.json )? | \.tool-versions ) \Z
    | /node_modules                   # and all that begins so
    | [^/] \.asdf/ | /\.asdf/
    | clr-[^/]*-pipe-                 # .NET's debugger
    | \A /program\ files              # of Windows, under WSL
"""
"""Code, and what the tools of languages look for in every folder above the program's. A part of the whole path."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """The default rules for one program."""

    not_found: tuple[bytes, ...]
    """Folders."""
    remote: tuple[bytes, ...]
    """Folders or files."""
    local: tuple[bytes, ...]
    """Folders, wholly."""
    local_others: re.Pattern[bytes]
    """What else is local: what isn't a folder with all below it."""


def defaults_for(files: FileRules) -> Defaults:
    """Return the default rules, with the program's own folders."""
    # The root as working directory is what many containers have, and would make everything local.
    folders = (files.temporary, files.working_directory, *files.installations)
    own = tuple(folder for folder in folders if folder != ROOT)
    others = LOCAL_NAMES + rb"""
        | \A / \Z
        | \A """ + re.escape(files.executable) + rb""" \Z
        | \A """ + re.escape(join(files.home, b".")) + rb"""
    """  # fmt: skip
    return Defaults(
        not_found=tuple(join(files.home, name) for name in NOT_FOUND_AT_HOME),
        remote=REMOTE,
        local=LOCAL + own,
        local_others=re.compile(others, re.IGNORECASE | re.VERBOSE),
    )


def compile_folders(folders: Iterable[bytes]) -> re.Pattern[bytes]:
    """Return what matches a cleaned path that is one of these folders or lies in one."""
    return re.compile(rb"(?:" + rb"|".join(map(re.escape, folders)) + rb")(?:/|\Z)", re.IGNORECASE)
