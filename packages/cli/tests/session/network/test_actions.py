"""Actions are plain values: equal if they say the same, and never changed."""

from __future__ import annotations

import dataclasses

import pytest

from mirrord_cli.session.network import actions


def test_all_are_values() -> None:
    for kind in actions.NetworkAction.__args__:
        assert dataclasses.is_dataclass(kind)
        assert kind.__dataclass_params__.frozen, kind


def test_equal() -> None:
    assert actions.WantPort(80) == actions.WantPort(80) != actions.LeavePort(80)
    with pytest.raises(dataclasses.FrozenInstanceError):
        actions.WantPort(80).port = 81  # type: ignore[misc]
