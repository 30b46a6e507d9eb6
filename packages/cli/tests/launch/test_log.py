"""Where a session logs, and how many logs are kept."""

from __future__ import annotations

import os
from pathlib import Path

from mirrord_cli.launch import log


def test_a_log_is_the_users_alone(tmp_path: Path) -> None:
    path = log.new_log({b"HOME": os.fsencode(tmp_path)})

    assert path is not None
    assert path.startswith(os.fsencode(tmp_path / ".local/state/mirrord/logs/"))
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert os.stat(os.path.dirname(path)).st_mode & 0o777 == 0o700


def test_the_state_folder_can_be_elsewhere(tmp_path: Path) -> None:
    path = log.new_log({b"HOME": b"/nowhere", b"XDG_STATE_HOME": os.fsencode(tmp_path)})

    assert path is not None
    assert path.startswith(os.fsencode(tmp_path / "mirrord"))


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "mirrord" / "logs"
    folder.mkdir(parents=True)
    for number in range(30):
        (folder / f"20010101-0000{number:02}-1.log").touch()
    (folder / "other.txt").touch()

    path = log.new_log({b"XDG_STATE_HOME": os.fsencode(tmp_path)})

    assert path is not None
    names = sorted(entry.name for entry in folder.iterdir())
    assert len(names) == log.KEPT + 1
    assert os.path.basename(os.fsdecode(path)) in names
    assert "other.txt" in names
    assert "20010101-000011-1.log" in names
    assert "20010101-000010-1.log" not in names


def test_no_place_is_no_log(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert log.new_log({}) is None
    assert log.new_log({b"XDG_STATE_HOME": b"relative"}) is None
    assert log.new_log({b"XDG_STATE_HOME": os.fsencode(tmp_path / "file")}) is None
