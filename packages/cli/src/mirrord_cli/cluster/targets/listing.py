"""What there is to choose a target from: the names that a list of each kind gives, and which may be chosen now. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import Struct

from mirrord_cli.cluster.objects import Json
from mirrord_cli.cluster.targets.asking import Ask
from mirrord_cli.cluster.targets.kinds import KINDS, POD
from mirrord_cli.cluster.targets.pods import is_pod_ready, targets_of

OWN = "app.kubernetes.io/managed-by!=mirrord"
"""Leaves agents out, and their Jobs."""
PAGE = "500"


class Listed(Struct, frozen=True):
    """One target."""

    path: str
    """As `--target` takes it."""
    available: bool
    """Whether something of it runs."""


class Listing(Struct, frozen=True, kw_only=True):
    """What a namespace has."""

    targets: tuple[Listed, ...]
    current_namespace: str
    namespaces: tuple[str, ...] = ()
    """All that may be looked at; only if they were asked for."""
    refused: tuple[str, ...] = ()
    """Kinds that may not be listed, in the plural."""


def wanted_kinds(chosen: Sequence[str]) -> tuple[str, ...]:
    """Return the kinds to list for those that were chosen, in the order of lists; all, if none was."""
    return tuple(word for word in KINDS if word in chosen or not chosen)


def asked_kinds(wanted: Sequence[str]) -> tuple[str, ...]:
    """Return the kinds to ask for: whether a Service has somebody to answer is known from pods."""
    return tuple(word for word in KINDS if word in wanted or (word == POD.word and "service" in wanted))


def asking(word: str, namespace: str) -> Ask:
    """Return the question for the first page of a kind."""
    query = [("labelSelector", OWN), ("limit", PAGE)]
    if word == POD.word:
        query.append(("fieldSelector", "status.phase=Running"))
    return Ask(KINDS[word].collection(namespace), tuple(query))


def targets(wanted: Sequence[str], lists: Mapping[str, Sequence[Json]]) -> Iterator[Listed]:
    """Yield the targets of those kinds, in the order of KINDS.

    Args:
        wanted: The kinds.
        lists: The objects of each kind that was answered.
    """
    pods = lists.get(POD.word)
    for word in wanted:
        for found in lists.get(word, ()):
            if word == POD.word:
                there = is_pod_ready(found) and not found["metadata"].get("deletionTimestamp")
                yield from (Listed(path, there) for path in targets_of(found))
            elif word == "service":
                yield Listed(_path(word, found), _is_served(found, pods))
            else:
                yield Listed(_path(word, found), RUNS[word](found.get("status") or {}))


def _path(word: str, found: Json) -> str:
    return f"{word}/{found['metadata']['name']}"


def _is_served(service: Json, pods: Sequence[Json] | None) -> bool:
    selector = (service.get("spec") or {}).get("selector") or {}
    if not selector:
        return False
    if pods is None:
        return True
    labels = ((pod["metadata"].get("labels") or {}, pod) for pod in pods)
    return any(selector.items() <= found.items() and is_pod_ready(pod) for found, pod in labels)


def _counts(*names: str) -> Callable[[Json], bool]:
    """Return what tells from a status whether the first of these that it has isn't nought."""
    return lambda status: bool(next((status[name] for name in names if name in status), None))


RUNS: Mapping[str, Callable[[Json], bool]] = {
    "deployment": _counts("availableReplicas"),
    "rollout": _counts("availableReplicas"),
    "statefulset": _counts("availableReplicas", "readyReplicas"),
    "daemonset": _counts("numberReady"),
    "replicaset": _counts("readyReplicas"),
    "cronjob": _counts("active"),
    "job": _counts("ready", "active"),
}
"""Whether something of it runs, from its status."""
