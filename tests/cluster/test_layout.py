"""Where things are: below one folder, and as go.mod has them."""

from __future__ import annotations

import re
from pathlib import Path

from tests.cluster.layout import KUBERNETES, Layout

MODULES = (Path(__file__).parent / "go" / "go.mod").read_text()


def test_the_version_is_the_one_that_is_built() -> None:
    parts = re.findall(r"^\tk8s\.io/[\w-]+ => k8s\.io/[\w-]+ v0\.([\d.]+)$", MODULES, re.MULTILINE)

    assert f"k8s.io/kubernetes v{KUBERNETES}\n" in MODULES
    assert parts
    assert {f"1.{part}" for part in parts} == {KUBERNETES}


def test_everything_is_below_the_top() -> None:
    layout = Layout(Path("/srv/checkout/.cluster"))
    paths = [getattr(layout, name) for name, kind in vars(Layout).items() if isinstance(kind, property)]
    found = [path for path in [*paths, *layout.binds().values()] if isinstance(path, Path)]

    assert len(found) > 10
    assert all(path.is_relative_to(layout.top) for path in found)


def test_each_checkout_has_its_control_group() -> None:
    assert Layout(Path("/a/.cluster")).group != Layout(Path("/b/.cluster")).group
