"""Every kind of target, by its name, with and without a container; what is said where a choice was made or a name is wrong."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from tests.e2e.kit.cluster import Cluster, owners, wait_until
from tests.e2e.kit.developer import Developer
from tests.e2e.kit.places import Places
from tests.e2e.kit.workloads import HALF, SIDECAR

LOOK = [
    sys.executable,
    "-c",
    "import json, os, socket; print(json.dumps([socket.gethostname(), os.environ.get('WHICH')]))",
]
"""A program that tells its host's name, which is a pod's, and a variable that each container of a pod has its own of."""
KINDS = [
    ("pod/alone", "alone"),
    ("deployment/go", "go"),
    ("statefulset/stateful", "stateful"),
    ("daemonset/daemon", "daemon"),
    ("replicaset/replica", "replica"),
    ("rollout/rolled", "rolled"),
    ("job/job", "job"),
    ("service/go", "go"),
    ("service/go-pods", "go"),
    ("label/app=go", "go"),
]


def look(developer: Developer, target: str, *options: str, **rest: Any) -> tuple[str, str | None, str]:
    """The target's host's name, its variable WHICH, and what a person was told."""
    done = developer.exec(target, *LOOK, options=options, **rest)
    assert done.returncode == 0, done.stderr
    name, which = json.loads(done.stdout)
    return name, which, done.stderr


@pytest.mark.parametrize(("target", "app"), KINDS, ids=lambda value: value.replace("/", "-"))
def test_kinds(developer: Developer, cluster: Cluster, target: str, app: str) -> None:
    name, _, said = look(developer, target)
    assert [name] == owners(cluster.pods(developer.namespace, app))
    assert f"(container shop of pod {name} in namespace {developer.namespace})" in said


def test_container_of_a_workload(developer: Developer) -> None:
    assert look(developer, "deployment/go/container/shop")[0].startswith("go-")


@pytest.mark.parametrize("which", ["front", "back", SIDECAR])
def test_container(developer: Developer, which: str) -> None:
    """Each container by its name, one that is known for a sidecar too."""
    name, found, said = look(developer, f"pod/several/container/{which}")
    assert (name, found) == ("several", which)
    assert "mirrord:" not in said


def test_container_that_is_picked(developer: Developer) -> None:
    """The first that is no sidecar; and that there was a choice is said."""
    name, found, said = look(developer, "pod/several")
    assert (name, found) == ("several", "front")
    assert "back" in said


def test_pod_that_shares_its_processes(developer: Developer) -> None:
    for mode in ("ephemeral", "job"):
        options = ("-f", developer.configuration(agent={"mode": mode}))
        assert look(developer, "pod/shared/container/back", *options)[:2] == ("shared", "back")


def test_ready_pod_is_preferred(developer: Developer) -> None:
    assert look(developer, f"statefulset/{HALF}")[0] == f"{HALF}-1"
    assert look(developer, f"label/app={HALF}")[0] == f"{HALF}-1"


def test_pod_that_is_not_ready(developer: Developer) -> None:
    """Whoever names it gets it."""
    assert look(developer, f"pod/{HALF}-0")[0] == f"{HALF}-0"


def test_cronjob(developer: Developer, cluster: Cluster) -> None:
    """The pod of a job that it has started."""

    def active() -> bool:
        return bool(cluster.get(developer.namespace, "cronjob", "cron")["status"].get("active"))

    wait_until(active, 75, lambda: "the cron job doesn't start")
    assert look(developer, "cronjob/cron")[0].startswith("cron-")


def test_targetless(developer: Developer) -> None:
    """An agent of its own: the cluster's names and network without anybody's variables and files."""
    program = "import urllib.request as u; print(u.urlopen('http://go/plums', timeout=20).read().decode())"
    done = developer.exec("targetless", sys.executable, "-c", program)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("target, go: /plums from ")
    assert "targetless" in done.stderr


def test_other_namespace(developer: Developer, places: Places, cluster: Cluster) -> None:
    name, _, _ = look(developer, "deployment/locked", "-n", places.restricted)
    assert [name] == owners(cluster.pods(places.restricted, "locked"))


WRONG = [
    ("deployment/flusk", "There is no deployment flusk", "Did you mean deployment/flask?"),
    ("service/expres", "There is no service expres", "Did you mean service/express?"),
    ("pod/alone2", "There is no pod alone2", "Did you mean pod/alone?"),
    ("statefulset/go", "There is no statefulset go", "deployment/go"),
    ("deployment/locke", "There is no deployment locke", "deployment/flask"),
    ("pod/several/container/frost", "frost", "front"),
    ("label/app=nothing", "app=nothing", ""),
    ("deployments/flask", "deployments", "deployment"),
]


@pytest.mark.parametrize(("target", "problem", "nearest"), WRONG, ids=lambda value: value.replace("/", "-"))
def test_wrong_names(developer: Developer, target: str, problem: str, nearest: str) -> None:
    """What is wrong, what there is, and what is nearest."""
    done = developer.exec(target, *LOOK)
    print(done.stderr)
    assert done.returncode != 0
    assert done.stdout == ""
    assert problem in done.stderr
    assert nearest in done.stderr
