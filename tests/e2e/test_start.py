"""Sessions that can't start: a person sees the cluster's own reason and what to do next, and nothing is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.kit.cluster import GONE, Cluster, wait_until
from tests.e2e.kit.developer import Developer
from tests.e2e.kit.images import GO_IMAGE
from tests.e2e.kit.people import make_person
from tests.e2e.kit.places import Places
from tests.e2e.kit.remains import OURS
from tests.kit.run import Runner
from tests.kit.serving import free_port

QUOTA = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}


def fails(developer: Developer, *options: str, target: str = "deployment/go", **agent: Any) -> str:
    """What a person is told when a session can't start."""
    configured = ["-f", developer.configuration(agent=agent)] if agent else []
    done = developer.exec(target, "echo", "started", options=[*configured, *options])
    print(done.stderr)
    assert (done.returncode != 0, done.stdout) == (True, "")
    return done.stderr


@pytest.fixture(autouse=True)
def nothing_left(cluster: Cluster, places: Places) -> Iterator[None]:
    """No Job and no pod of an agent, in no namespace of the run."""
    yield

    def left() -> list[Any]:
        return [each for name in places.all() for each in cluster.get(name, "jobs,pods", "-l", OURS)["items"]]

    wait_until(lambda: not left(), GONE, left)


@pytest.mark.parametrize("mode", ["job", "ephemeral"])
def test_image_that_is_missing(developer: Developer, mode: str) -> None:
    said = fails(developer, "-i", "mirrord-e2e-nowhere:1", mode=mode, image_pull_policy="Never")
    assert "mirrord-e2e-nowhere:1" in said
    assert "agent.image" in said


def test_image_that_cannot_be_fetched(developer: Developer) -> None:
    said = fails(developer, "-i", "127.0.0.1:1/nothing:1", mode="job")
    assert "127.0.0.1:1/nothing:1" in said
    assert "refused" in said


def test_image_that_is_no_agent(developer: Developer) -> None:
    said = fails(developer, "-i", GO_IMAGE, mode="job")
    assert GO_IMAGE in said


def test_no_place_on_the_node(developer: Developer) -> None:
    said = fails(developer, mode="job", resources={"requests": {"cpu": "9000"}, "limits": {"cpu": "9000"}})
    assert "Insufficient cpu" in said


def test_no_node_with_that_label(developer: Developer) -> None:
    said = fails(developer, target="targetless", node_selector={"nowhere": "yes"}, startup_timeout=5)
    assert "node" in said


def test_quota(developer: Developer, cluster: Cluster, places: Places) -> None:
    cluster.apply(QUOTA, namespace=places.empty)
    try:
        said = fails(developer, "-a", places.empty, mode="job")
    finally:
        cluster.kubectl("delete", "resourcequota", "none", "-n", places.empty)
    assert "Exceeded quota: none" in said
    assert "agent.namespace" in said


def test_admission(developer: Developer, places: Places) -> None:
    said = fails(developer, "-a", places.restricted, mode="job")
    assert 'PodSecurity "restricted' in said
    assert "agent.namespace" in said


def test_priority_class_that_is_missing(developer: Developer) -> None:
    assert "priority class" in fails(developer, mode="job", priority_class="highest").lower()


def test_namespace_that_is_missing(developer: Developer) -> None:
    said = fails(developer, "-n", "mirrord-e2e-nowhere")
    assert "mirrord-e2e-nowhere" in said


@pytest.fixture(scope="module")
def person(cluster: Cluster, places: Places, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes people with other rights; their kubeconfigs."""
    folder = tmp_path_factory.mktemp("people")

    def make(name: str, *roles: tuple[str, ...]) -> Path:
        return make_person(cluster, folder, name, places.free, *roles)

    return make


def test_no_rights(runner: Runner, places: Places, person: Callable[..., Path]) -> None:
    said = fails(Developer(runner, person("nobody"), places.free))
    assert "deployments" in said
    assert "mirrord rbac" in said


def test_rights_for_another_mode(runner: Runner, places: Places, person: Callable[..., Path]) -> None:
    """Bound to what `mirrord rbac` prints for one mode: that one works, the other is refused, and auto finds its way."""
    for mode, other in (("job", "ephemeral"), ("ephemeral", "job")):
        developer = Developer(runner, person(mode, ("--mode", mode, "-n", places.free)), places.free)
        assert "mirrord rbac" in fails(developer, mode=other)
        for chosen in (mode, "auto"):
            options = ["-f", developer.configuration(agent={"mode": chosen}), "--steal"]
            done = developer.exec("deployment/go", "echo", "started", options=options)
            assert (done.returncode, done.stdout) == (0, "started\n"), done.stderr


def test_rights_for_no_target(runner: Runner, places: Places, person: Callable[..., Path]) -> None:
    developer = Developer(runner, person("targetless", ("--targetless", "-n", places.free)), places.free)
    done = developer.exec("targetless", "echo", "started")
    assert (done.returncode, done.stdout) == (0, "started\n"), done.stderr
    assert "mirrord rbac" in fails(developer)


def test_server_that_cannot_be_reached(other: Callable[..., Developer]) -> None:
    port = free_port()
    developer = other(server=f"https://127.0.0.1:{port}")
    retry = developer.configuration(startup_retry={"max_retries": 1, "min_ms": 10, "max_ms": 10})
    said = fails(developer, "-f", retry)
    assert f"127.0.0.1:{port}" in said
    assert "refused" in said


def test_certificate_that_is_not_trusted(other: Callable[..., Developer]) -> None:
    developer = other(**{"tls-server-name": "elsewhere.test"})
    assert "certificate" in fails(developer)


def test_credentials_that_are_not_valid(other: Callable[..., Developer]) -> None:
    said = fails(other({"token": "expired"}))
    assert "credentials" in said
    assert "expired" not in said.replace("have expired", "").replace("may be expired", "")


def test_plug_in_that_fails(other: Callable[..., Developer]) -> None:
    plug_in = {"apiVersion": "client.authentication.k8s.io/v1", "command": "false", "interactiveMode": "Never"}
    assert "false" in fails(other({"exec": plug_in}))
