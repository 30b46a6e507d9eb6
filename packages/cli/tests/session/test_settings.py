"""Settings are values that don't change, and the modes are those of the configuration."""

from __future__ import annotations

import dataclasses

import pytest

from mirrord_cli.session.settings import FileRules, LocalTarget, Mode


def test_modes_are_named_as_in_a_configuration_file() -> None:
    assert {mode.value for mode in Mode} == {"local", "localwithoverrides", "read"}
    assert FileRules(home=b"/h", working_directory=b"/w", temporary=b"/t", executable=b"/x").mode is Mode.READ


def test_nothing_changes() -> None:
    target = LocalTarget(pid=1, start_time=2)

    with pytest.raises(dataclasses.FrozenInstanceError):
        target.pid = 2  # type: ignore[misc]
