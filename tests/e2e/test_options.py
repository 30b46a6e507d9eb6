"""Where a value comes from: variables, options and files lead to the same session; and what options do to the agent."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.e2e.kit.cluster import Cluster
from tests.e2e.kit.developer import Developer
from tests.e2e.kit.places import Places
from tests.e2e.kit.remains import OURS

HOST = [sys.executable, "-c", "import socket; print(socket.gethostname())"]


def host(developer: Developer, target: str | None, options: Sequence[str] = (), **variables: str) -> str:
    done = developer.exec(target, *HOST, options=options, env=variables)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def locked(cluster: Cluster, places: Places) -> str:
    """A pod in another namespace than the context's."""
    name: str = cluster.pod(places.restricted, "locked")["metadata"]["name"]
    return name


def test_variables(developer: Developer, places: Places, locked: str) -> None:
    found = host(
        developer, None,
        MIRRORD_IMPERSONATED_TARGET="deployment/locked", MIRRORD_TARGET_NAMESPACE=places.restricted,
        MIRRORD_EPHEMERAL_CONTAINER="true", MIRRORD_KUBE_CONTEXT="test",
        MIRRORD_KUBECONFIG=str(developer.kubeconfig), KUBECONFIG="/nonexistent",
    )  # fmt: skip
    assert found == locked


def test_options_win_over_variables(developer: Developer, places: Places, locked: str) -> None:
    wrong = {
        "MIRRORD_IMPERSONATED_TARGET": "pod/nobody",
        "MIRRORD_TARGET_NAMESPACE": "nowhere",
        "MIRRORD_KUBE_CONTEXT": "no",
    }
    options = ["-n", places.restricted, "--context", "test"]
    assert host(developer, "deployment/locked", options, **wrong) == locked


def test_file(developer: Developer, places: Places, locked: str) -> None:
    """With everything in it."""
    file = developer.configuration(
        kubeconfig=str(developer.kubeconfig),
        kube_context="test",
        target={"path": {"deployment": "locked", "container": "shop"}, "namespace": places.restricted},
        agent={"mode": "ephemeral", "log_level": "debug"},
    )
    assert host(developer, None, ["-f", file], KUBECONFIG="/nonexistent") == locked


def test_several_kubeconfigs(developer: Developer, tmp_path: Path) -> None:
    """Merged as kubectl merges them: the first that says something counts."""
    content = json.loads(developer.kubeconfig.read_text())
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text(json.dumps({**content, "users": [], "clusters": []}))
    second.write_text(json.dumps({**content, "current-context": "other"}))
    assert host(developer, "pod/alone", KUBECONFIG=f"{first}:{tmp_path / 'none'}:{second}") == "alone"


def test_job(developer: Developer, cluster: Cluster, places: Places) -> None:
    """What the configuration says of the agent's pod is in its spec, and nothing secret is."""
    agent = {
        "mode": "job",
        "namespace": places.empty,
        "labels": {"team": "pears"},
        "annotations": {"why": "tests"},
        "tolerations": [{"key": "only", "operator": "Exists"}],
        "resources": {"requests": {"cpu": "2m"}, "limits": {"memory": "150Mi"}},
        "service_account": "default",
        "disabled_capabilities": ["NET_ADMIN"],
        "security_context": {"seccomp_profile": {"type": "Unconfined"}},
        "communication_timeout": 20,
        "ttl": 3,
    }
    with developer.start("pod/alone", "sleep", "60", options=["-f", developer.configuration(agent=agent)]) as program:
        program.wait_said("log          ", errors=True)
        (job,) = cluster.get(places.empty, "jobs", "-l", OURS)["items"]
        (pod,) = cluster.get(places.empty, "pods", "-l", OURS)["items"]
        program.end()
    spec, (container,) = pod["spec"], pod["spec"]["containers"]
    assert job["metadata"]["labels"]["team"] == pod["metadata"]["labels"]["team"] == "pears"
    assert pod["metadata"]["annotations"]["why"] == "tests"
    assert {"key": "only", "operator": "Exists"} in spec["tolerations"]
    assert container["resources"] == {"requests": {"cpu": "2m", "memory": "150Mi"}, "limits": {"memory": "150Mi"}}
    assert container["securityContext"]["seccompProfile"] == {"type": "Unconfined"}
    added = container["securityContext"]["capabilities"]["add"]
    assert "SYS_ADMIN" in added
    assert "NET_ADMIN" not in added
    assert not container["securityContext"].get("privileged")
    assert (spec["hostPID"], spec["serviceAccountName"], job["spec"]["ttlSecondsAfterFinished"]) == (True, "default", 3)
    assert "20" in container["args"]
    assert spec["automountServiceAccountToken"] is False


def test_privileged(developer: Developer, cluster: Cluster) -> None:
    options = ["-f", developer.configuration(agent={"mode": "job", "privileged": True})]
    with developer.start("pod/alone", "sleep", "60", options=options) as program:
        program.wait_said("log          ", errors=True)
        (pod,) = cluster.get(developer.namespace, "pods", "-l", OURS)["items"]
        assert pod["spec"]["containers"][0]["securityContext"]["privileged"] is True
