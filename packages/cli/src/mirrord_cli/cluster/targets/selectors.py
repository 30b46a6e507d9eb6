"""Selectors of objects, as the API wants them in a query. No I/O.

From the documentation of Kubernetes, "Labels and Selectors".
"""

from __future__ import annotations

from collections.abc import Mapping

from mirrord_cli.cluster.objects import Json

OPERATORS: Mapping[str, str] = {
    "In": "{key} in ({values})",
    "NotIn": "{key} notin ({values})",
    "Exists": "{key}",
    "DoesNotExist": "!{key}",
}


def selector_of(selector: Json) -> str:
    """Return a workload's selector (`matchLabels`, `matchExpressions`) as text; empty if it selects nothing by itself.

    Raises:
        KeyError: An operator of `matchExpressions` is none that Kubernetes has.
    """
    terms = [labels_of(selector.get("matchLabels") or {})]
    for expression in selector.get("matchExpressions") or []:
        values = ",".join(expression.get("values") or [])
        terms.append(OPERATORS[expression["operator"]].format(key=expression["key"], values=values))
    return ",".join(filter(None, terms))


def labels_of(labels: Mapping[str, str]) -> str:
    """Return a set of labels, all of which are wanted, as text."""
    return ",".join(f"{key}={value}" for key, value in labels.items())
