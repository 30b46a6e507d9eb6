"""The JSON schema says what the loader takes."""

from __future__ import annotations

import json
import re
from typing import Any

from mirrord_cli.config.keys import all_keys
from mirrord_cli.config.schema import schema
from mirrord_cli.config.target import OBJECT_KEYS


def properties(value: dict[str, Any], above: str = "") -> dict[str, Any]:
    """Every key that a schema knows, by its path."""
    found: dict[str, Any] = {}
    for shape in [value, *value.get("anyOf", [])]:
        for name, inner in shape.get("properties", {}).items():
            path = f"{above}.{name}" if above else name
            found |= {path: inner} | properties(inner, path)
    return found


def test_it_has_every_key_with_its_description() -> None:
    found = properties(schema())
    for key in all_keys():
        assert found[key.path]["description"] == key.description
    objects = {f"{above}.{name}" for above in ("target", "target.path") for name in (*OBJECT_KEYS, "container")}
    parts = {"agent.image.registry", "agent.image.tag", "agent.resources.requests", "agent.resources.limits"}
    assert set(found) - {key.path for key in all_keys()} == objects | parts


def test_it_is_json() -> None:
    assert json.loads(json.dumps(schema())) == schema()


def test_sections_take_no_other_keys() -> None:
    assert schema()["additionalProperties"] is False
    assert properties(schema())["feature"]["additionalProperties"] is False


def test_shorthands_and_defaults() -> None:
    found = properties(schema())

    assert {"type": "boolean"} in found["feature.env"]["anyOf"]
    assert [shape.get("type") for shape in found["feature.fs"]["anyOf"]] == ["object", "boolean", "string"]
    assert found["feature.fs.mode"]["enum"] == ["read", "local", "localwithoverrides"]
    assert found["feature.fs.mode"]["default"] == "read"
    assert [shape["type"] for shape in found["skip_processes"]["anyOf"]] == ["string", "array"]
    assert found["feature.env.mapping"]["additionalProperties"] == {"type": "string"}
    assert found["skip_build_tools"]["default"] is True


def test_the_networks_shapes() -> None:
    found = properties(schema())

    assert found["feature.network.incoming.ports"]["items"] == {"type": "integer", "minimum": 1, "maximum": 65535}
    assert found["feature.network.incoming.port_mapping"]["items"]["minItems"] == 2
    modes = found["feature.network.incoming"]["anyOf"]
    assert [shape["type"] for shape in modes] == ["object", "boolean", "string"]
    assert modes[2]["enum"] == ["mirror", "steal", "off"]
    assert "default" not in found["feature.network.outgoing.filter"]


def test_the_agents_shapes() -> None:
    found = properties(schema())

    assert found["agent.ttl"] | {"description": ""} == {
        "description": "", "type": "integer", "minimum": 0, "maximum": 65535, "default": 1,
    }  # fmt: skip
    assert found["agent.tolerations"]["items"]["properties"]["operator"]["enum"] == ["Exists", "Equal"]
    assert found["agent.image_pull_secrets"]["items"]["required"] == ["name"]
    assert found["agent.disabled_capabilities"]["anyOf"][1]["items"]["enum"][0] == "NET_ADMIN"
    assert "string" in found["agent.resources.limits"]["additionalProperties"]["type"]
    assert [shape["type"] for shape in found["agent.image"]["anyOf"]] == ["string", "object"]


def test_targets() -> None:
    pattern, *objects = properties(schema())["target.path"]["anyOf"]

    assert all(re.search(pattern["pattern"], name) for name in ("pod/x", "label/a=b", "targetless", "process/1"))
    assert not any(re.search(pattern["pattern"], name) for name in ("process/x", "pod/", "x/pod/x", "targetless/x"))
    assert {name for shape in objects for name in shape["required"]} == set(OBJECT_KEYS)
