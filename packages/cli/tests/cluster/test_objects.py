"""The API's objects are plain JSON."""

from __future__ import annotations

import json

from mirrord_cli.cluster.objects import Json


def test_they_are_what_json_has() -> None:
    found: Json = json.loads('{"kind": "Pod", "metadata": {"name": "x"}}')

    assert found["metadata"]["name"] == "x"
