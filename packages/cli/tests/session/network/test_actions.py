"""Actions are plain values: equal if they say the same, and never changed."""

from __future__ import annotations

import dataclasses
import typing

import pytest

from mirrord_cli.session.network import actions


def test_all_are_values() -> None:
    for kind in typing.get_args(actions.NetworkAction):
        assert isinstance(kind, type) and dataclasses.is_dataclass(kind)
        fields = [field.name for field in dataclasses.fields(kind)]
        with pytest.raises((dataclasses.FrozenInstanceError, TypeError)):
            setattr(object.__new__(kind), fields[0] if fields else "more", 1)


def test_equal() -> None:
    said: list[object] = [actions.WantPort(80), actions.WantPort(80), actions.LeavePort(80)]

    assert said[0] == said[1] != said[2]
