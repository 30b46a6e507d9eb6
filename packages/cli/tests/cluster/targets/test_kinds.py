"""Where the API has each kind."""

from __future__ import annotations

from mirrord_cli.cluster.targets.kinds import KINDS, POD
from mirrord_cli.config.target import NAMED


def test_each_kind_of_a_name_is_there() -> None:
    assert set(KINDS) == set(NAMED)


def test_paths() -> None:
    assert POD.path("shop", "web-1") == "/api/v1/namespaces/shop/pods/web-1"
    assert KINDS["deployment"].collection("shop") == "/apis/apps/v1/namespaces/shop/deployments"
    assert KINDS["rollout"].collection("") == "/apis/argoproj.io/v1alpha1/rollouts"


def test_a_name_stays_one_part_of_a_path() -> None:
    assert POD.path("../a", "b/c?d") == "/api/v1/namespaces/..%2Fa/pods/b%2Fc%3Fd"
