"""Namespaces at each level of Pod Security: which agent each admits, what works with it, and why others were refused."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from tests.e2e.kit.client import Client
from tests.e2e.kit.cluster import GONE, Cluster, wait_until
from tests.e2e.kit.developer import Developer
from tests.e2e.kit.images import SHOP
from tests.e2e.kit.places import Places
from tests.e2e.kit.remains import remains
from tests.e2e.kit.workloads import NOTE, PORT, SETTINGS, VARIABLES

LOOK = """
import json, os, socket, sys, urllib.request as u
from pathlib import Path
print(json.dumps({
    "variables": {name: value for name, value in os.environ.items() if name.startswith("SHOP_")},
    "settings": Path("/srv/shop/settings.json").read_text(),
    "note": Path("/scratch/note").read_text(),
    "address": socket.gethostbyname("locked"),
    "fetched": u.urlopen("http://" + sys.argv[1] + "/plums", timeout=20).read().decode(),
}))
"""
WITH_NET_ADMIN = "an ephemeral container with NET_ADMIN"
JOB = "a Job on the target's node"


class Looking:
    """A developer whose programs look around."""

    def __init__(self, developer: Developer, cluster: Cluster, places: Places) -> None:
        self._developer, self._cluster, self._places = developer, cluster, places

    def look(self, app: str, namespace: str, *, incoming: str | None = None, **agent: Any) -> tuple[Any, str]:
        """What a program saw with a target, and what a person was told."""
        network = {"feature": {"network": {"incoming": incoming}}} if incoming else {}
        configured = ["-f", self._developer.configuration(agent=agent, **network), "-n", namespace]
        program = [sys.executable, "-c", LOOK, f"express.{self._places.free}"]
        done = self._developer.exec(f"deployment/{app}", *program, options=configured)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout), done.stderr

    def there(self, app: str, namespace: str) -> Any:
        """What there is to see: all that needs no right that any level forbids."""
        pod = self._cluster.pod(namespace, app)["status"]["podIP"]
        return {
            "variables": VARIABLES,
            "settings": SETTINGS,
            "note": NOTE,
            "address": self._cluster.get(namespace, "service", "locked")["spec"]["clusterIP"],
            "fetched": f"target, express: /plums from {pod}\n",
        }

    def capabilities(self, app: str, namespace: str) -> Any:
        """What the agent was given that came last, as an ephemeral container."""
        agent = self._cluster.pod(namespace, app)["spec"]["ephemeralContainers"][-1]
        return agent["securityContext"]["capabilities"]


@pytest.fixture
def looking(developer: Developer, cluster: Cluster, places: Places) -> Looking:
    return Looking(developer, cluster, places)


@pytest.mark.parametrize("app", ["flask", "go", "locked", "imaged"])
@pytest.mark.parametrize("mode", ["auto", "job"])
def test_privileged(looking: Looking, places: Places, mode: str, app: str) -> None:
    """Everything goes, whoever the target is: root, a user that its spec names, one that only its image does."""
    found, said = looking.look(app, places.free, mode=mode)
    assert found == looking.there(app, places.free)
    assert "couldn't be the agent" not in said
    assert "incoming     mirrored" in said
    if mode == "auto":
        assert "NET_ADMIN" in looking.capabilities(app, places.free)["add"]
        assert "  agent        ephemeral container mirrord-agent-" in said
    else:
        assert "  agent        Job mirrord-agent-" in said


@pytest.mark.parametrize("app", ["flask", "locked"])
def test_baseline(looking: Looking, places: Places, app: str) -> None:
    """No agent may have NET_ADMIN or the node's processes: all works but what comes to the target, and that is said."""
    found, said = looking.look(app, places.baseline)
    assert found == looking.there(app, places.baseline)
    assert sorted(looking.capabilities(app, places.baseline)["add"]) == ["SETGID", "SETUID"]
    assert 'couldn\'t be the agent: Violates PodSecurity "baseline:latest"' in said
    assert "incoming     mirrored" not in said


@pytest.mark.parametrize("mode", ["auto", "ephemeral"])
def test_restricted(looking: Looking, places: Places, mode: str) -> None:
    """The agent is the target's user from the start, and has no rights at all."""
    found, said = looking.look("locked", places.restricted, mode=mode)
    assert found == looking.there("locked", places.restricted)
    assert looking.capabilities("locked", places.restricted) == {"drop": ["ALL"]}
    assert 'couldn\'t be the agent: Violates PodSecurity "restricted:latest"' in said
    assert "incoming     mirrored" not in said


def test_nothing_that_comes_is_wanted(looking: Looking, places: Places) -> None:
    """Then less is asked for at once, and nothing is refused."""
    found, said = looking.look("flask", places.baseline, incoming="off")
    assert found == looking.there("flask", places.baseline)
    assert "mirrord: " not in said


@pytest.mark.parametrize(("level", "app"), [("baseline", "flask"), ("restricted", "locked")])
def test_stealing_by_a_job_in_another_namespace(
    developer: Developer, places: Places, client: Client, cluster: Cluster, level: str, app: str
) -> None:
    """A namespace that may have agents' Jobs gives the others everything."""
    namespace = getattr(places, level)
    program = [sys.executable, "-m", "gunicorn", "--no-control-socket", "-b", f"0.0.0.0:{PORT}", "shop:make('local')"]
    options = ["--steal", "-n", namespace, "-a", places.free]
    with developer.start(f"deployment/{app}", *program, options=options, cwd=SHOP) as running:
        running.wait_said("serving as local")
        assert client.get(f"{app}.{namespace}/pears").text.startswith("local, flask: /pears from ")
        assert "  agent        Job mirrord-agent-" in running.errors()
    wait_until(lambda: client.get(f"{app}.{namespace}/after").text.startswith("target"), GONE, lambda: "it isn't back")
    wait_until(lambda: not remains(cluster, app, namespace, places.free), GONE, lambda: "something is left")


REFUSED: list[tuple[str, str, Sequence[str], dict[str, Any], Sequence[str]]] = [
    ("baseline", "flask", ["--steal"], {}, [WITH_NET_ADMIN, JOB, 'PodSecurity "baseline']),
    ("restricted", "locked", ["--steal"], {}, [WITH_NET_ADMIN, JOB, 'PodSecurity "restricted']),
    ("baseline", "flask", ["--steal"], {"mode": "ephemeral"}, ["phemeral container with NET_ADMIN", "NET_ADMIN"]),
    ("baseline", "flask", [], {"mode": "job"}, ["Job on the target's node", "hostPID"]),
    ("free", "flask", ["--steal"], {"disabled_capabilities": ["NET_ADMIN"]}, ["agent.disabled_capabilities"]),
]


@pytest.mark.parametrize(("level", "app", "options", "agent", "words"), REFUSED)
def test_what_is_refused(
    developer: Developer,
    places: Places,
    level: str,
    app: str,
    options: Sequence[str],
    agent: dict[str, Any],
    words: Sequence[str],
) -> None:
    """Each way that was tried, with the cluster's own reason, and what to do."""
    configured = ["-f", developer.configuration(agent=agent), "-n", getattr(places, level), *options]
    done = developer.exec(f"deployment/{app}", "true", options=configured)
    print(done.stderr)
    assert done.returncode != 0
    assert [word for word in words if word not in done.stderr] == []


def test_capability_that_is_dropped(looking: Looking, places: Places) -> None:
    """What the agent then lacks is said at the start, and the rest works."""
    found, said = looking.look("flask", places.free, mode="job", disabled_capabilities=["NET_ADMIN"])
    assert found == looking.there("flask", places.free)
    assert "agent.disabled_capabilities has NET_ADMIN" in said
    assert "incoming     mirrored" not in said
