"""The agent's part of the definition: mirrord's names and defaults."""

from __future__ import annotations

from mirrord_cli.config.keys import all_keys

KEYS = {key.path: key for key in all_keys() if key.path.startswith("agent.")}


def test_defaults() -> None:
    defaults = {path.removeprefix("agent."): key.default for path, key in KEYS.items() if path.count(".") == 1}
    del defaults["security_context"]

    assert defaults == {
        "mode": "auto", "ephemeral": None, "namespace": None, "image": None, "image_pull_policy": "IfNotPresent",
        "image_pull_secrets": [], "ttl": 1, "communication_timeout": 30, "startup_timeout": 60,
        "flush_connections": True, "disabled_capabilities": [], "privileged": False, "tolerations": None,
        "resources": None, "labels": {}, "annotations": {}, "node_selector": {}, "service_account": None,
        "priority_class": None, "log_level": "info", "disable_mesh_sidecar_injection": True,
    }  # fmt: skip


def test_options_and_variables_are_mirrords() -> None:
    assert {path.removeprefix("agent."): key.option for path, key in KEYS.items() if key.option} == {
        "ephemeral": ("--ephemeral-container", "-e"),
        "namespace": ("--agent-namespace", "-a"),
        "image": ("--agent-image", "-i"),
        "ttl": ("--agent-ttl",),
        "startup_timeout": ("--agent-startup-timeout",),
        "log_level": ("--agent-log-level", "-l"),
    }
    assert KEYS["agent.ephemeral"].variable == "MIRRORD_EPHEMERAL_CONTAINER"
    assert KEYS["agent.log_level"].variable == "MIRRORD_AGENT_RUST_LOG"
    assert KEYS["agent.ephemeral"].says == "true"


def test_what_is_handed_on_has_the_apis_names() -> None:
    handed_on = {path: list(key.of.__struct_fields__) for path, key in KEYS.items() if key.of}

    assert handed_on == {
        "agent.image_pull_secrets": ["name"],
        "agent.tolerations": ["key", "operator", "value", "effect", "tolerationSeconds"],
        "agent.resources": ["requests", "limits"],
    }
