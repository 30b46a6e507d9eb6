"""`mirrord rbac`: options become what is printed."""

from __future__ import annotations

import subprocess
import sys

import pytest
import yaml

from mirrord_cli.commands.group import run
from mirrord_cli.errors import MirrordError


def test_it_prints_yaml(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["rbac", "--mode", "job", "-n", "shop", "-a", "agents", "--name", "least", "--user", "alice"]
    assert run([*arguments, "--user", "bob", "--group", "all", "--service-account", "ci:tester"]) == 0

    found = list(yaml.safe_load_all(capsys.readouterr().out))
    assert [(each["kind"], each["metadata"]["name"], each["metadata"]["namespace"]) for each in found] == [
        ("Role", "least", "shop"),
        ("RoleBinding", "least", "shop"),
        ("Role", "least", "agents"),
        ("RoleBinding", "least", "agents"),
    ]
    assert [(each["kind"], each["name"]) for each in found[1]["subjects"]] == [
        ("User", "alice"),
        ("User", "bob"),
        ("Group", "all"),
        ("ServiceAccount", "tester"),
    ]
    assert not any("ephemeralcontainers" in str(each) for each in found)


def test_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    run(["rbac", "--all-namespaces", "--targetless"])

    assert [each["kind"] for each in yaml.safe_load_all(capsys.readouterr().out)] == ["ClusterRole"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--all-namespaces", "-n", "shop"], "one is named"),
        (["--service-account", "tester"], "has no namespace"),
        (["--service-account", "ci:"], "has no namespace"),
        (["--mode", "sidecar"], "sidecar"),
    ],
)
def test_mistakes(arguments: list[str], said: str) -> None:
    with pytest.raises(MirrordError, match=said) as caught:
        run(["rbac", *arguments])

    assert caught.value.category == "you"


def test_the_kubernetes_client_is_not_loaded() -> None:
    """It takes a third of a second, and nothing here needs it."""
    program = (
        "import sys; from mirrord_cli.commands.group import run; run(['rbac']); sys.exit('kubernetes' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).returncode == 0
