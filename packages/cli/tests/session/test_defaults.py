"""Whose a path is by default: the lists, and the program's own folders."""

from __future__ import annotations

from typing import Any

import pytest

from mirrord_cli.session.defaults import compile_folders, defaults_for
from mirrord_cli.session.rules import Rules, Side
from session_rules import file_rules

LOCAL, REMOTE, NOT_FOUND = Side.LOCAL, Side.REMOTE, Side.NOT_FOUND


def sides(path: bytes, **changes: Any) -> tuple[Side, Side]:
    """Whose a path is for reading and for changes."""
    rules = Rules(file_rules(**changes))
    return rules.decide(path, False).side, rules.decide(path, True).side


@pytest.mark.parametrize(
    "path",
    [
        b"/", b"/usr", b"/usr/share/remote.txt", b"/USR/x", b"/proc/self/maps", b"/lib64/x", b"/var/tmp/x", b"/home/other/x",
        b"/code/shop", b"/code/Shop/data.csv", b"/scratch/x", b"/srv/bin/tool", b"/srv/lib.so", b"/srv/lib.so.6.1",
        b"/srv/App.PY", b"/srv/run.sh", b"/srv/x.class", b"/srv/conf.d", b"/srv/pyvenv.cfg", b"/srv/lib/jvm.cfg",
        b"/srv/package.json", b"/srv/.yarnrc.yml", b"/srv/node_modules/x/y.json", b"/srv/.asdf/x", b"/srv/.tool-versions",
        b"/tmp/clr-debug-pipe-1-2-in", b"/Program Files/x", b"/home/dev/.bashrc",
    ],
)  # fmt: skip
def test_local_by_default(path: bytes) -> None:
    assert sides(path) == (LOCAL, LOCAL)


@pytest.mark.parametrize(
    "path",
    [
        b"/etc/hosts", b"/etc/hostname", b"/etc/resolv.conf", b"/etc/ssl/certs", b"/etc/ssl/certs/ca.pem", b"/srv",
        b"/srv/run.sh.txt", b"/usrx", b"/var", b"/var/lib/x", b"/code", b"/code/shopx", b"/srv/bin/tool2", b"/srv/bin",
        b"/srv/so", b"/srv/x.sox", b"/srv/conf.d/x", b"/srv/mypackage.json", b"/var/me/x", b"/app/main.go", b"/x/usr/y",
    ],
)  # fmt: skip
def test_remote_by_default(path: bytes) -> None:
    assert sides(path) == (REMOTE, LOCAL)


@pytest.mark.parametrize("name", [b".kube", b".kube/config", b".aws/credentials", b".azure/x", b".config/gcloud/x"])
@pytest.mark.parametrize("home", [b"/home/dev", b"/var/me", b"/"])
def test_not_found_by_default(home: bytes, name: bytes) -> None:
    assert sides(home.rstrip(b"/") + b"/" + name, home=home) == (NOT_FOUND, NOT_FOUND)


def test_hidden_files_of_a_home_anywhere_are_local() -> None:
    assert sides(b"/var/me/.cache/x", home=b"/var/me") == (LOCAL, LOCAL)
    assert sides(b"/var/me/.kubectl", home=b"/var/me") == (LOCAL, LOCAL)
    assert sides(b"/var/me/x", home=b"/var/me") == (REMOTE, LOCAL)


def test_the_root_as_working_directory_makes_nothing_local() -> None:
    assert sides(b"/srv/x", working_directory=b"/", temporary=b"/") == (REMOTE, LOCAL)


def test_names_of_folders_are_taken_as_they_are() -> None:
    assert sides(b"/a+(b) #c/x", working_directory=b"/a+(b) #c") == (LOCAL, LOCAL)
    assert sides(b"/a+(b) #c", working_directory=b"/", executable=b"/a+(b) #c") == (LOCAL, LOCAL)
    assert sides(b"/h #\xff/.x", home=b"/h #\xff") == (LOCAL, LOCAL)


def test_folders_are_matched_whole() -> None:
    folders = compile_folders((b"/a.b", b"/c"))

    assert [bool(folders.match(path)) for path in (b"/a.b", b"/A.B/x", b"/a.bx", b"/axb", b"/c/", b"/x/c")] == [
        True, True, False, False, True, False,
    ]  # fmt: skip


def test_a_temporary_directory_of_the_root_is_none() -> None:
    defaults = defaults_for(file_rules(temporary=b"/", working_directory=b"/srv"))

    assert b"/" not in defaults.local
    assert defaults.local[-1] == b"/srv"
