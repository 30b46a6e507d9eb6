"""When pods can be scheduled to a node, and where objects are."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster.objects import Json, node_ready, objects

READY: list[Json] = [{"type": "Ready", "status": "True"}]


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (None, False),
        ({"spec": {}, "status": {}}, False),
        ({"spec": {}, "status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}, False),
        ({"spec": {"taints": [{"key": "node.kubernetes.io/not-ready"}]}, "status": {"conditions": READY}}, False),
        ({"spec": {"unschedulable": True}, "status": {"conditions": READY}}, False),
        ({"spec": {}, "status": {"conditions": READY}}, True),
    ],
)
def test_node_ready(node: dict[str, Any] | None, expected: bool) -> None:
    assert node_ready(node) is expected


def test_each_object_is_where_its_path_says() -> None:
    for path, content in objects().items():
        assert content["apiVersion"] in path
        assert path.endswith(f"/{content['kind'].lower()}s/{content['metadata']['name']}")
        assert (f"/namespaces/{content['metadata'].get('namespace')}/" in path) is ("namespace" in content["metadata"])
