"""`mirrord verify-config`, as editors read it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mirrord_cli.commands.group import run
from mirrord_cli.config.schema import schema


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("MIRRORD_CONFIG_FILE", "MIRRORD_FILE_MODE", "MIRRORD_IMPERSONATED_TARGET"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def verdict(capsys: pytest.CaptureFixture[str], text: str | None, *options: str) -> dict[str, Any]:
    if text is not None:
        Path("m.json").write_text(text)
    assert run(["verify-config", *options, "m.json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.count("\n") == 1
    found: dict[str, Any] = json.loads(out)
    return found


def test_success(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verdict(capsys, '{"target": "process/4711"}') == {
        "type": "Success",
        "config": {"path": {"process": 4711}, "namespace": None},
        "warnings": [],
        "compatible_target_types": [
            "targetless", "pod", "deployment", "statefulset", "daemonset", "replicaset", "rollout", "job", "cronjob",
            "service", "label", "process",
        ],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("deployment/shop", {"deployment": "shop"}),
        ("cronjob/shop/container/c", {"cron_job": "shop", "container": "c"}),
        ("label/a=b,c=d", {"labels": {"a": "b", "c": "d"}}),
        ("targetless", "targetless"),
    ],
)
def test_a_target_in_a_cluster(folder: Path, capsys: pytest.CaptureFixture[str], target: str, path: Any) -> None:
    found = verdict(capsys, json.dumps({"target": {"path": target, "namespace": "n"}}), "--resolved")

    assert found["config"] == {"path": path, "namespace": "n"}
    assert found["resolved_config"]["target"] == {"path": target, "namespace": "n"}
    assert verdict(capsys, json.dumps({"target": found["config"]}))["config"] == found["config"]


def test_targets_that_go_with_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for text in ('{"feature": {"network": {"incoming": "steal"}}}', '{"agent": {"ephemeral": true}}'):
        found = verdict(capsys, text, "--ide")
        assert (found["type"], found["warnings"]) == ("Success", [])
        assert "targetless" not in found["compatible_target_types"]
    assert verdict(capsys, '{"target": "targetless", "agent": {"ephemeral": true}}', "--ide")["type"] == "Fail"


def test_a_missing_target_is_a_warning_unless_an_editor_asks(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = verdict(capsys, "{}")
    assert found["config"] == {"path": None, "namespace": None}
    assert len(found["warnings"]) == 1

    assert verdict(capsys, "{}", "--ide")["warnings"] == []


def test_all_mistakes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verdict(capsys, '{"a": 1, "feature": {"fs": "wirte"}}') == {
        "type": "Fail",
        "errors": [
            "m.json, line 1: There is no key a.",
            "m.json, line 1: feature.fs.mode must be 'read', 'local' or 'localwithoverrides', not 'wirte'.",
        ],
    }


@pytest.mark.parametrize(("text", "said"), [("{", "not valid JSON"), (None, "No such file")])
def test_a_file_that_cannot_be_used(
    folder: Path, capsys: pytest.CaptureFixture[str], text: str | None, said: str
) -> None:
    found = verdict(capsys, text)

    assert found["type"] == "Fail"
    assert said in found["errors"][0]


def test_variables_count(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIRRORD_FILE_MODE", "wirte")

    assert verdict(capsys, "{}")["errors"] == [
        "The variable MIRRORD_FILE_MODE must be 'read', 'local' or 'localwithoverrides', not 'wirte'."
    ]


def test_the_network(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (
        '{"target": "process/1", "feature": {"network": {"incoming": "steal", "dns": {"filter": {"local": "x:1:y"}}}}}'
    )
    assert "no address; one of IPv6" in verdict(capsys, text)["errors"][0]

    text = '{"target": "process/1", "feature": {"network": {"incoming": {"port_mapping": [[80, 80]]}}}}'
    found = verdict(capsys, text, "--resolved")
    assert found["warnings"] == ["feature.network.incoming.port_mapping: the pair of 80 and 80 has no effect."]
    again = verdict(capsys, json.dumps(found["resolved_config"]), "--resolved")
    assert again["resolved_config"] == found["resolved_config"]


def test_the_resolved_configuration_is_one_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    agent = {
        "image": {"tag": "1"},
        "tolerations": [{"key": "a"}],
        "resources": {"limits": {"cpu": 1}},
        "ephemeral": True,
    }
    found = verdict(capsys, json.dumps({"agent": agent}), "--resolved", "--ide")["resolved_config"]
    assert verdict(capsys, json.dumps(found), "--resolved", "--ide")["resolved_config"] == found

    text = '{"target": "process/1", "skip_processes": "a", "feature": {"env": false, "fs": {"local": "(?<x>a)"}}}'
    found = verdict(capsys, text, "--resolved")["resolved_config"]

    assert found["target"] == {"path": "process/1", "namespace": None}
    assert found["feature"]["env"]["exclude"] == ["*"]
    assert verdict(capsys, json.dumps(found), "--resolved")["resolved_config"] == found


def test_an_answer_that_cannot_be_written() -> None:
    command = [sys.executable, "-m", "mirrord_cli", "verify-config", "--schema"]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)

    assert done.returncode == 64
    assert done.stderr.startswith("mirrord: The answer can't be written: No space left")


def test_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify-config", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out) == schema()
