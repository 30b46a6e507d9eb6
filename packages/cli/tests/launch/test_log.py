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


def fill(tmp_path: Path) -> Path:
    """Thirty logs, each written a second after the one before."""
    folder = tmp_path / "mirrord" / "logs"
    folder.mkdir(parents=True)
    for number in range(30):
        (folder / f"20990101-0000{number:02}-1.log").touch()
        os.utime(folder / f"20990101-0000{number:02}-1.log", (number, number))
    (folder / "other.txt").touch()
    return folder


def test_only_those_written_last_are_kept(tmp_path: Path) -> None:
    """Whatever their names say: a clock may have been set back."""
    folder = fill(tmp_path)

    path = log.new_log({b"XDG_STATE_HOME": os.fsencode(tmp_path)})

    assert path is not None
    names = {entry.name for entry in folder.iterdir()}
    assert len(names) == log.KEPT + 1
    assert os.path.basename(os.fsdecode(path)) in names
    assert {"other.txt", "20990101-000011-1.log", "20990101-000029-1.log"} <= names
    assert "20990101-000010-1.log" not in names


def test_a_log_that_is_being_written_is_kept(tmp_path: Path) -> None:
    folder = fill(tmp_path)
    with open(folder / "20990101-000000-1.log", "a", encoding="utf-8") as written:
        log.lock_log(written.fileno())

        log.new_log({b"XDG_STATE_HOME": os.fsencode(tmp_path)})

    assert (folder / "20990101-000000-1.log").exists()
    assert not (folder / "20990101-000001-1.log").exists()


def test_a_run_may_have_a_second_one(tmp_path: Path) -> None:
    paths = [log.new_log({b"XDG_STATE_HOME": os.fsencode(tmp_path)}) for _ in range(3)]

    assert None not in paths
    assert len(set(paths)) == 3


def test_no_place_is_no_log(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert log.new_log({}) is None
    assert log.new_log({b"XDG_STATE_HOME": b"relative"}) is None
    assert log.new_log({b"XDG_STATE_HOME": os.fsencode(tmp_path / "file")}) is None
