"""What was found, for people."""

from __future__ import annotations

from mirrord_cli.cluster.targets.found import FoundTarget


def test_the_place() -> None:
    found = FoundTarget(
        namespace="shop", pod="web-1", uid="u", node="n", container="web", container_id="0" * 64, containers=("web",)
    )

    assert found.place == "container web of pod web-1 in namespace shop"
