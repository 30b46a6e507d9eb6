"""Objects in place of one text; more of them in test_tree.py."""

from __future__ import annotations

from typing import Any

import pytest

from mirrord_cli import VERSION
from mirrord_cli.config.objects import image_faults, image_name, target_faults


def test_an_image_has_defaults_for_its_parts() -> None:
    assert image_name({}) == f"mirrord-agent:{VERSION}"
    assert image_name({"registry": "r.test:5000/x", "tag": "1"}) == "r.test:5000/x:1"


@pytest.mark.parametrize(
    ("value", "faults"),
    [
        ({"registry": None, "tag": None}, 0),
        ({"registry": "x y", "tag": ""}, 2),
        ({"registry": 1, "other": 2}, 2),
    ],
)
def test_images(value: Any, faults: int) -> None:
    assert len(list(image_faults("agent.image", value))) == faults


@pytest.mark.parametrize(
    ("value", "faults"),
    [
        ({"pod": "x", "container": "c", "job": None}, 0),
        ({"process": "1"}, 0),
        ({"labels": {}}, 0),  # its name names nothing: target.py says so
        ({"pod": None}, 1),
        ({"pod": 1, "job": 2, "container": [], "x": 1}, 5),
        ({"labels": {1: "x"}}, 1),
    ],
)
def test_targets(value: Any, faults: int) -> None:
    assert len(list(target_faults("target.path", value))) == faults
