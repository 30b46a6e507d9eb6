"""`mirrord ls`, as editors read it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster_objects import metadata, pod, workload
from cluster_server import Server, serving
from mirrord_cli.commands.group import run
from mirrord_cli.errors import MirrordError

SHOP = "/api/v1/namespaces/shop"
APPS = "/apis/apps/v1/namespaces/shop"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in (
        "MIRRORD_LS_RICH_OUTPUT",
        "MIRRORD_LS_TARGET_TYPES",
        "MIRRORD_CONFIG_FILE",
        "MIRRORD_TARGET_NAMESPACE",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    with serving() as found:
        monkeypatch.setenv("KUBECONFIG", str(found.kubeconfig(tmp_path / "kubeconfig")))
        web = workload("web") | {"status": {"availableReplicas": 1}}
        found.objects = {
            f"{APPS}/deployments": [web, workload("idle")],
            f"{SHOP}/pods": [pod()],
            "/api/v1/namespaces": [{"metadata": metadata("shop")}, {"metadata": metadata("other")}],
        }
        yield found


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert run(["ls", *arguments]) == 0
    out, _ = capsys.readouterr()
    assert out.count("\n") == 1
    return json.loads(out)


def test_a_plain_list_has_what_can_be_chosen(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys) == ["deployment/web", "pod/web-1"]
    assert said(capsys, "-t", "pod", "-o", "json") == ["pod/web-1"]
    assert said(capsys, "-t", "Job", "-t", "pod") == ["pod/web-1"]


def test_the_rich_form(
    server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setenv("MIRRORD_LS_RICH_OUTPUT", "true")

    assert said(capsys) == {
        "targets": [
            {"path": "deployment/web", "available": True},
            {"path": "deployment/idle", "available": False},
            {"path": "pod/web-1", "available": True},
        ],
        "current_namespace": "shop",
        "namespaces": ["shop", "other"],
    }


def test_the_variable_for_kinds(
    server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setenv("MIRRORD_LS_TARGET_TYPES", '["deployment", "targetless", "workflow"]')
    assert said(capsys) == ["deployment/web"]
    assert said(capsys, "-t", "pod") == ["pod/web-1"]
    monkeypatch.setenv("MIRRORD_LS_TARGET_TYPES", "[]")
    assert len(said(capsys)) == 2
    for wrong in ("deployment", "{}", "[1]"):
        monkeypatch.setenv("MIRRORD_LS_TARGET_TYPES", wrong)
        with pytest.raises(MirrordError, match="must be a list of kinds in JSON") as caught:
            run(["ls"])
        assert caught.value.category == "you"


def test_the_namespace(
    server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server.objects["/api/v1/namespaces/other/pods"] = [pod("far")]
    (tmp_path / "m.json").write_text('{"target": {"namespace": "other"}}')

    assert said(capsys, "-n", "other") == ["pod/far"]
    assert said(capsys, "-f", "m.json") == ["pod/far"]
    assert said(capsys, "-f", "m.json", "-n", "shop") == ["deployment/web", "pod/web-1"]
    with pytest.raises(MirrordError, match="The option --target-namespace: 'Other': it may have small letters"):
        run(["ls", "-n", "Other"])


def test_what_may_not_be_listed_is_left_out(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    server.objects[f"{SHOP}/services"] = 403

    assert run(["ls"]) == 0
    out, err = capfd.readouterr()
    assert json.loads(out) == ["deployment/web", "pod/web-1"]
    assert "You may not list services: they are left out." in err


def test_kinds_that_there_are_not() -> None:
    with pytest.raises(MirrordError, match="'process' is not one of"):
        run(["ls", "-t", "process"])
