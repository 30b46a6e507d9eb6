"""Settings are values that don't change, and the modes are those of the configuration."""

from __future__ import annotations

import dataclasses

import pytest

from mirrord_cli.session.settings import FileRules, IncomingMode, IncomingRules, LocalTarget, Mode, NetworkRules


def test_modes_are_named_as_in_a_configuration_file() -> None:
    assert {mode.value for mode in Mode} == {"local", "localwithoverrides", "read"}
    assert FileRules(home=b"/h", working_directory=b"/w", temporary=b"/t", executable=b"/x").mode is Mode.READ


def test_nothing_changes() -> None:
    target = LocalTarget(pid=1, start_time=2)

    with pytest.raises(dataclasses.FrozenInstanceError):
        target.pid = 2  # type: ignore[misc]


def test_a_target_that_lacks_something() -> None:
    rules = NetworkRules(unix_streams=("x",), incoming=IncomingRules(mode=IncomingMode.STEAL))

    assert rules.without(()) == rules
    assert rules.without(("incoming",)).incoming.mode is IncomingMode.OFF
    assert not rules.without(("names",)).names
    left = rules.without(("outgoing",))
    assert (left.tcp, left.udp, left.unix_streams, left.names) == (False, False, (), True)
