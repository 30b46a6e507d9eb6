"""Selectors as the API wants them in a query."""

from __future__ import annotations

import pytest

from mirrord_cli.cluster.targets.selectors import labels_of, selector_of


def test_labels() -> None:
    assert labels_of({"app": "web", "a.test/b": ""}) == "app=web,a.test/b="
    assert labels_of({}) == ""


def test_expressions_count_too() -> None:
    selector = {
        "matchLabels": {"app": "web"},
        "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["a", "b"]},
            {"key": "old", "operator": "NotIn", "values": ["x"]},
            {"key": "here", "operator": "Exists"},
            {"key": "gone", "operator": "DoesNotExist"},
        ],
    }

    assert selector_of(selector) == "app=web,tier in (a,b),old notin (x),here,!gone"
    assert selector_of({"matchExpressions": [{"key": "a", "operator": "Exists"}]}) == "a"
    assert selector_of({}) == ""


def test_operators_that_kubernetes_does_not_have() -> None:
    with pytest.raises(KeyError):
        selector_of({"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]})
