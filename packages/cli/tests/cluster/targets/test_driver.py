"""What is asked of an API server, over real HTTP: how many rounds it takes, and what is made of refusals and pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest

from cluster_objects import metadata, pod, workload
from cluster_server import Server, serving
from mirrord_cli.cluster.api.driver import Api
from mirrord_cli.cluster.api.machine import Retry
from mirrord_cli.cluster.targets.driver import find_target, list_targets
from mirrord_cli.cluster.targets.found import FoundTarget
from mirrord_cli.cluster.targets.kinds import KINDS
from mirrord_cli.cluster.targets.listing import Listed
from mirrord_cli.config.target import ClusterTarget, parse_target
from mirrord_cli.errors import MirrordError
from mirrord_cli.session.access import Access

T = TypeVar("T")
NAMESPACES = "/api/v1/namespaces"
SHOP = f"{NAMESPACES}/shop"
APPS = "/apis/apps/v1/namespaces/shop"
BATCH = "/apis/batch/v1/namespaces/shop"


class CountingApi(Api):
    """Counts rounds: what is asked at once."""

    def __init__(self, server: Server) -> None:
        super().__init__(Access(server=server.url), "shop", Retry(max_retries=0))
        self.rounds: list[int] = []

    def together(self, *calls: Callable[[], T]) -> list[T]:
        self.rounds.append(len(calls))
        return super().together(*calls)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as found:
        found.objects[SHOP] = {"metadata": metadata("shop")}
        yield found


@pytest.fixture
def api(server: Server) -> Iterator[CountingApi]:
    found = CountingApi(server)
    yield found
    found.close()


def find(api: Api, name: str) -> FoundTarget | None:
    target = parse_target(name)
    assert isinstance(target, ClusterTarget)
    return find_target(api, target, "shop")


# ---------------------------------------------------------------------------------------------- finding


@pytest.mark.parametrize(
    ("name", "rounds"),
    [
        ("targetless", []),
        ("pod/web-1", [1]),
        ("label/app=web", [1]),
        ("deployment/web", [1, 2]),
        ("statefulset/web", [1, 1]),
        ("daemonset/web", [1, 1]),
        ("replicaset/web", [1, 1]),
        ("job/web", [1, 1]),
        ("cronjob/web", [1, 1]),
        ("service/web", [1, 1]),
        ("rollout/web", [1, 1]),
    ],
)
def test_rounds(server: Server, api: CountingApi, name: str, rounds: list[int]) -> None:
    """As docs/cluster.md has them."""
    owner = workload("web") | {"status": {"active": [{"uid": "u"}]}}
    service = {"metadata": metadata("web"), "spec": {"selector": {"app": "web"}}}
    found = pod(owner=owner)
    server.objects |= {f"{SHOP}/pods": [found], f"{SHOP}/pods/web-1": found, f"{SHOP}/services/web": service}
    server.objects |= {
        kind.path("shop", "web"): owner for kind in KINDS.values() if kind.word not in {"pod", "service"}
    }  # fmt: skip
    server.objects[f"{APPS}/replicasets"] = []

    target = find(api, name)

    assert (target and target.pod) == (None if name == "targetless" else "web-1")
    assert api.rounds == rounds
    assert len(server.asked) == sum(rounds)


def test_a_query_arrives_as_it_is_meant(server: Server, api: CountingApi) -> None:
    server.objects |= {f"{SHOP}/pods": [pod()]}
    find(api, "label/app=web,a.test/b=c")

    assert server.asked == [(f"{SHOP}/pods", {"labelSelector": "app=web,a.test/b=c", "limit": "500"})]


def test_a_wrong_name_takes_one_round_more(server: Server, api: CountingApi) -> None:
    server.objects[f"{APPS}/deployments"] = [workload("web")]
    with pytest.raises(MirrordError, match="no deployment wbe") as caught:
        find(api, "deployment/wbe")

    assert caught.value.next_step.startswith("Did you mean deployment/web?")
    assert api.rounds == [1, 12]


def test_an_api_that_is_not_there_and_an_object_that_is_not_differ(server: Server, api: CountingApi) -> None:
    with pytest.raises(MirrordError, match="This cluster has no rollouts"):
        find(api, "rollout/web")
    with pytest.raises(MirrordError, match="There is no job web in namespace shop"):
        find(api, "job/web")


def test_no_right(server: Server, api: CountingApi) -> None:
    server.objects |= {f"{APPS}/deployments/web": 403, f"{SHOP}/pods": 403}
    with pytest.raises(MirrordError, match="You may not get deployments in namespace shop: web: Forbidden"):
        find(api, "deployment/web")


# ---------------------------------------------------------------------------------------------- listing


def names(listing: Any) -> list[str]:
    return [target.path for target in listing.targets]


def test_all_kinds_are_asked_for_in_one_round(server: Server, api: CountingApi) -> None:
    server.objects |= {
        f"{APPS}/deployments": [workload("web")],
        f"{SHOP}/pods": [pod()],
        NAMESPACES: [workload("shop")],
    }
    server.objects |= {f"{APPS}/{plural}": 403 for plural in ("statefulsets", "daemonsets", "replicasets")}
    found = list_targets(api, tuple(KINDS), "shop", namespaces=True)

    assert found.targets == (Listed("deployment/web", False), Listed("pod/web-1", True))
    assert (found.current_namespace, found.namespaces) == ("shop", ("shop",))
    assert found.refused == ("statefulsets", "daemonsets", "replicasets")
    assert api.rounds == [10]


def test_pages(server: Server, api: CountingApi) -> None:
    server.page = 2
    server.objects[f"{SHOP}/pods"] = [pod(f"p{number}") for number in range(5)]

    assert names(list_targets(api, ["pod"], "shop", namespaces=False)) == [f"pod/p{number}" for number in range(5)]
    assert [query.get("continue") for _, query in server.asked] == [None, "2", "4"]
    assert all(query["fieldSelector"] == "status.phase=Running" for _, query in server.asked)


def test_pages_that_the_server_has_forgotten(server: Server, api: CountingApi) -> None:
    server.page, server.forgets = 2, True
    server.objects[f"{SHOP}/pods"] = [pod(f"p{number}") for number in range(5)]

    assert len(names(list_targets(api, ["pod"], "shop", namespaces=False))) == 5
    assert [sorted(query) for _, query in server.asked][-1] == ["fieldSelector", "labelSelector"]


def test_namespaces_that_may_not_be_listed(server: Server, api: CountingApi) -> None:
    server.objects |= {f"{SHOP}/pods": [pod()], NAMESPACES: 403}

    assert list_targets(api, ["pod"], "shop", namespaces=True).namespaces == ("shop",)


def test_nothing_there(server: Server, api: CountingApi) -> None:
    server.objects[f"{SHOP}/pods"] = []
    assert list_targets(api, ["pod", "rollout"], "shop", namespaces=False).targets == ()

    del server.objects[SHOP]
    server.objects[NAMESPACES] = [workload("shops")]
    with pytest.raises(MirrordError, match="There is no namespace shop") as caught:
        list_targets(api, ["pod"], "shop", namespaces=False)
    assert "Did you mean shops" in caught.value.next_step


def test_no_right_to_any(server: Server, api: CountingApi) -> None:
    server.objects |= {f"{SHOP}/pods": 403, f"{SHOP}/services": 403}
    with pytest.raises(MirrordError, match="You may not list services in namespace shop"):
        list_targets(api, ["service", "pod"], "shop", namespaces=False)
    # Pods are asked for in order to know which Services are served; they weren't wanted.
    server.objects[f"{SHOP}/services"] = [{"metadata": metadata("web"), "spec": {"selector": {"a": "b"}}}]
    assert list_targets(api, ["service"], "shop", namespaces=False).refused == ()
