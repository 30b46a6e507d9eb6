"""Actions are plain values: equal if they say the same, and never changed."""

from __future__ import annotations

import dataclasses
from typing import get_args

import pytest

from mirrord_protocol import actions


def test_the_union_has_all_of_them() -> None:
    there = {each for each in vars(actions).values() if isinstance(each, type) and each.__module__ == actions.__name__}

    assert set(get_args(actions.Action)) == there


@pytest.mark.parametrize("kind", get_args(actions.Action))
def test_they_never_change(kind: type) -> None:
    if dataclasses.is_dataclass(kind):
        assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    else:
        assert issubclass(kind, tuple)
