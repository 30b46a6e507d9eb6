"""The names of targets."""

from __future__ import annotations

import pytest

from mirrord_cli.config.target import BadTarget, ClusterTarget, object_name, parse_target, target_name


def test_a_process() -> None:
    assert parse_target("process/4711") == 4711
    assert parse_target(target_name(1)) == 1


@pytest.mark.parametrize(
    ("name", "kind", "rest", "container"),
    [
        ("pod/shop-0", "pod", "shop-0", None),
        ("pod/shop.1/container/web", "pod", "shop.1", "web"),
        ("deployment/shop", "deployment", "shop", None),
        ("statefulset/shop", "statefulset", "shop", None),
        ("daemonset/shop", "daemonset", "shop", None),
        ("replicaset/shop", "replicaset", "shop", None),
        ("rollout/shop/container/c", "rollout", "shop", "c"),
        ("job/shop", "job", "shop", None),
        ("cronjob/shop", "cronjob", "shop", None),
        ("service/shop", "service", "shop", None),
        ("label/app=shop", "label", "app=shop", None),
        (
            "label/app.kubernetes.io/name=shop,tier=web/container/c",
            "label",
            "app.kubernetes.io/name=shop,tier=web",
            "c",
        ),
        ("label/container/a=b", "label", "container/a=b", None),
        ("targetless", "targetless", "", None),
    ],
)
def test_what_is_in_a_cluster(name: str, kind: str, rest: str, container: str | None) -> None:
    found = parse_target(name)

    assert found == ClusterTarget(kind, rest, container)
    assert target_name(found) == name


def test_other_words() -> None:
    assert parse_target("deploy/shop") == ClusterTarget("deployment", "shop")
    assert ClusterTarget("pod", "x", "c").plain == "pod/x"
    assert ClusterTarget("targetless", "").plain == "targetless"


def test_objects() -> None:
    assert object_name({"process": 1}) == "process/1"
    assert object_name({"stateful_set": "x", "container": "c"}) == "statefulset/x/container/c"
    assert object_name({"pod": None, "labels": {"a": "b", "c": "d"}}) == "label/a=b,c=d"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("process/x", "'x' is no process's number."),
        ("process/", "names no process."),
        ("process", "names no process."),
        ("process/-1", "'-1'"),
        ("process/0", "'0'"),
        ("process/1/container/x", "'1/container/x'"),
        ("process/١", "no process's number"),
        ("process/1\n", "no process's number"),
        ("4711", "did you mean process/4711\\?$"),
        ("container/shop", "not supported yet"),
        ("nonsense/x", "is of no known kind.$"),
        ("", "name is empty"),
        ("shop", "has no kind; did you mean deployment/shop or pod/shop"),
        ("app=shop", "has no kind; did you mean label/app=shop"),
        ("deploymnet/shop", "did you mean deployment/shop"),
        ("Deployment/shop", "did you mean deployment/shop"),
        ("sts/shop", "did you mean statefulset/shop"),
        ("stateful_set/shop", "did you mean statefulset/shop"),
        ("pods", "did you mean pod/NAME"),
        ("target-less", "did you mean targetless"),
        ("targetless/container/x", "nothing follows targetless"),
        ("pod", "names no pod"),
        ("pod//container/x", "names no pod"),
        ("pod/x/container", "names no container"),
        ("pod/x/container/", "names no container"),
        ("pod/x/y", "'x/y' is no pod's name: it may have small letters"),
        ("pod/x/container/A", "'A' is no container's name"),
        ("pod/x/container/a.b", "'a.b' is no container's name"),
        ("pod/" + "a" * 254, "more than 253 characters"),
        ("service/a.b", "'a.b' is no service's name"),
        ("deployment/-a", "is no deployment's name"),
        ("label/a", "'a' is no label: write KEY=VALUE"),
        ("label/a=", "'a=' is no label"),
        ("label/=b", "'=b' is no label"),
        ("label/a=b,", "'' is no label"),
        ("label/a=b,a=c", "the label a is there twice"),
        ("label/a b=c", "'a b' is no label's key"),
        ("label/a=b=c", "'b=c' is no label's value"),
        ("label/a=" + "b" * 64, "more than 63 characters"),
    ],
)
def test_what_is_none(name: str, said: str) -> None:
    with pytest.raises(BadTarget, match=said):
        parse_target(name)
