"""What all end-to-end tests share: a cluster with a run's own namespaces, people with rights there, a client inside."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.kit.client import Client
from tests.e2e.kit.cluster import CTR, Cluster
from tests.e2e.kit.developer import Developer
from tests.e2e.kit.people import make_person, write_kubeconfig
from tests.e2e.kit.places import Places, make_places
from tests.e2e.kit.report import report
from tests.kit.run import Runner, new_runner, required

LONGEST = 300
"""Seconds for one test with all that it needs."""
USED = pytest.StashKey[tuple[Cluster, Places]]()
"""What a failed test is reported with."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here is an end-to-end test; the first has to wait until the workloads serve."""
    for item in items:
        item.add_marker(pytest.mark.e2e)
        item.add_marker(pytest.mark.timeout(LONGEST))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure is shown with the cluster as it is then."""
    made = yield
    if made.failed and USED in item.config.stash:
        cluster, places = item.config.stash[USED]
        made.sections.append(("cluster", report(cluster, places.all())))
    return made


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The cluster that `python -m tests.e2e` has prepared."""
    found = Cluster.chosen()
    done = found.attempt("get", "--raw", "/readyz")
    if done.returncode:
        pytest.fail(f"the cluster isn't ready; run ./hatchw run e2e. {done.stderr}")
    return found


@pytest.fixture(scope="session")
def places(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Places]:
    """The run's namespaces."""
    with make_places(cluster) as places:
        request.config.stash[USED] = cluster, places
        yield places


@pytest.fixture(scope="session")
def client(cluster: Cluster, places: Places) -> Iterator[Client]:
    """Asks from a pod."""
    with Client(cluster, places.free) as client:
        yield client


@pytest.fixture(scope="session")
def kubeconfig(cluster: Cluster, places: Places, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of someone who may do in the run's namespaces what `mirrord rbac` prints, and no more."""
    roles = [("-n", namespace) for namespace in places.all()]
    return make_person(cluster, tmp_path_factory.mktemp("people"), "developer", places.free, *roles)


@pytest.fixture(scope="module")
def module_runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """Runs mirrord for several tests; fails the last if a process or a file of a run is left."""
    with new_runner(tmp_path_factory.mktemp("runs")) as runner:
        yield runner


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Runner]:
    """Runs mirrord; fails the test if a process or a file of a run is left."""
    with new_runner(tmp_path) as runner:
        yield runner


@pytest.fixture
def developer(runner: Runner, kubeconfig: Path, places: Places) -> Developer:
    """Someone with the least rights, in the namespace where everything may be."""
    return Developer(runner, kubeconfig, places.free)


@pytest.fixture(scope="session")
def require() -> Callable[[str], str]:
    """The path of a program of this machine; without it the test is skipped, or fails where `CI` is set."""

    return required


@pytest.fixture(scope="session")
def node(cluster: Cluster) -> None:
    """For tests that look at the node: it is this machine, or they are skipped."""
    if not cluster.ctr:
        pytest.skip(f"the cluster's node isn't known to be this machine: {CTR} isn't set")


@pytest.fixture
def other(cluster: Cluster, developer: Developer, tmp_path: Path) -> Callable[..., Developer]:
    """The developer with another kubeconfig."""
    user = json.loads(developer.kubeconfig.read_text())["users"][0]["user"]

    def make(changed: Mapping[str, Any] | None = None, **cluster_keys: Any) -> Developer:
        path = write_kubeconfig(tmp_path / "other", cluster, developer.namespace, dict(changed or user), **cluster_keys)
        return replace(developer, kubeconfig=path)

    return make
