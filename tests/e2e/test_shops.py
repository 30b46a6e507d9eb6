"""Web shops on this machine stand in for some in the cluster: what they are asked, and what they see around them.

Everything that a shop sees is asked for over its Service, from another pod: so each answer is a stolen request too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.kit.client import Client
from tests.e2e.kit.cluster import GONE, Cluster, wait_until
from tests.e2e.kit.developer import Developer, Program
from tests.e2e.kit.images import SHOP
from tests.e2e.kit.places import Places
from tests.e2e.kit.remains import remains
from tests.e2e.kit.shops import SERVING, shop
from tests.e2e.kit.workloads import NOTE, PORT, SETTINGS, VARIABLES
from tests.kit.run import Runner

WHO = {"flask": "flask", "http": "node", "express": "express"}
PAIRS = [
    (local, target, mode)
    for mode in ("ephemeral", "job")
    for local, target in (("flask", "flask"), ("http", "http"), ("express", "express"), ("flask", "go"))
]


@dataclass(frozen=True, slots=True)
class Standing:
    """A shop that stands in for a target."""

    program: Program
    name: str
    """What it is written with."""
    target: str
    address: str
    """The target's pod's."""


@pytest.fixture(scope="module", params=PAIRS, ids="-".join)
def standing(
    request: pytest.FixtureRequest,
    module_runner: Runner,
    kubeconfig: Path,
    places: Places,
    cluster: Cluster,
    client: Client,
    require: Callable[[str], str],
) -> Iterator[Standing]:
    """Each shop in each mode. Afterwards the target serves again, and nothing is left."""
    name, target, mode = request.param
    developer = Developer(module_runner, kubeconfig, places.free)
    options = ["--steal", "-f", developer.configuration(agent={"mode": mode})]
    with developer.start(f"deployment/{target}", *shop(name, require), options=options, cwd=SHOP) as program:
        program.wait_said(SERVING)
        status = cluster.pod(places.free, target)["status"]
        restarts = status["containerStatuses"][0]["restartCount"]
        yield Standing(program, name, target, status["podIP"])
    wait_until(lambda: client.get(f"{target}/after").text.startswith("target"), GONE, lambda: "the target isn't back")
    wait_until(lambda: not remains(cluster, target, places.free), GONE, lambda: remains(cluster, target, places.free))
    assert cluster.pod(places.free, target)["status"]["containerStatuses"][0]["restartCount"] == restarts


def test_requests_are_stolen(standing: Standing, client: Client, cluster: Cluster, places: Places) -> None:
    """All of them, with the client's address."""
    address = cluster.get(places.free, "pod", "client")["status"]["podIP"]
    expected = f"local, {WHO[standing.name]}: /pears from {address}\n"
    for url in (f"{standing.target}/pears", f"{standing.target}-pods:{PORT}/pears"):
        assert {client.get(url).text for _ in range(10)} == {expected}


def test_large_bodies(standing: Standing, client: Client) -> None:
    body = bytes(range(256)) * 20_000
    assert client.post(f"{standing.target}/echo", body).body == body


def test_variables(standing: Standing, client: Client) -> None:
    """From the pod's spec, a Secret and a ConfigMap; and none that is the developer's alone."""
    found = {name: client.get(f"{standing.target}/variable/{name}").text for name in VARIABLES}
    assert found == VARIABLES
    pod = client.get(f"{standing.target}/variable/HOSTNAME").text
    assert re.fullmatch(rf"{standing.target}(-\w+)+", pod)


def test_files(standing: Standing, client: Client) -> None:
    """From a ConfigMap, whose files are symbolic links, and from an emptyDir that the target has written to."""
    assert client.get(f"{standing.target}/file?path=/srv/shop/settings.json").text == SETTINGS
    assert client.get(f"{standing.target}/file?path=/scratch/note").text == NOTE
    assert client.get(f"{standing.target}/file?path=/scratch/nothing").status == 404


def test_names(standing: Standing, client: Client, cluster: Cluster, places: Places) -> None:
    """Of Services: short, with the namespace, and in full; one with an address of its own, and a headless one."""
    service = cluster.get(places.free, "service", "locked")["spec"]["clusterIP"]
    pod = cluster.get(places.free, "pod", "stateful-0")["status"]["podIP"]

    def look_up(name: str) -> str:
        return client.get(f"{standing.target}/lookup?name={name}").text

    for name, address in (("locked", service), ("stateful", pod), ("stateful-0.stateful", pod)):
        names = (name, f"{name}.{places.free}", f"{name}.{places.free}.svc.{cluster.domain(places.free)}")
        assert [look_up(each) for each in names] == [address] * 3
    assert client.get(f"{standing.target}/lookup?name=nobody").status == 404


def test_connections(standing: Standing, client: Client, places: Places) -> None:
    """To a Service with an address of its own, to a headless one, and to another namespace: they come from the target."""
    for url in ("locked", f"stateful:{PORT}", f"stateful-0.stateful:{PORT}", f"locked.{places.restricted}"):
        answer = client.get(f"{standing.target}/fetch?url=http://{url}/plums")
        assert answer.text == f"target, go: /plums from {standing.address}\n"


def test_connection_that_is_refused(standing: Standing, client: Client) -> None:
    answer = client.get(f"{standing.target}/fetch?url=http://stateful:1/")
    assert answer.status == 502
    assert re.search("refused|ECONNREFUSED", answer.text, re.IGNORECASE)


def test_probes(standing: Standing, cluster: Cluster, places: Places) -> None:
    """On a port of their own they reach the target; where they share the stolen one the program answers, and a person is told."""
    shared = standing.target in {"http", "express"}
    if shared:
        standing.program.wait_said("GET /healthz from")
    assert ("GET /healthz" in standing.program.said()) == shared
    assert (f"Port {PORT} of the target looks like one that health probes ask" in standing.program.errors()) == shared
    pod = cluster.pod(places.free, standing.target)
    assert {status["type"]: status["status"] for status in pod["status"]["conditions"]}["Ready"] == "True"


def test_what_a_person_is_told(standing: Standing) -> None:
    """Once what is what, with the times of the steps before it."""
    said = standing.program.errors()
    assert said.count("  incoming     stolen") == said.count(", ready after ") == 1
    assert re.search(r"^ +\d+\.\d s  (starting|waiting for|connecting to) ", said, re.MULTILINE)


@pytest.mark.parametrize(("name", "mode"), [("flask", "ephemeral"), ("express", "job")])
def test_requests_are_mirrored(
    developer: Developer, name: str, mode: str, client: Client, cluster: Cluster, require: Callable[[str], str]
) -> None:
    """The target answers, and the program gets a copy."""
    options = ["-f", developer.configuration(agent={"mode": mode})]
    address = cluster.get(developer.namespace, "pod", "client")["status"]["podIP"]
    with developer.start(f"deployment/{name}", *shop(name, require), options=options, cwd=SHOP) as program:
        program.wait_said(SERVING)
        for number in range(3):
            answer = client.get(f"{name}/copied/{number}").text
            assert answer.startswith(f"target, {WHO[name]}: /copied/{number} from ")
            program.wait_said(f"GET /copied/{number} from {address}")
    wait_until(lambda: not remains(cluster, name, developer.namespace), GONE, lambda: "something is left")
