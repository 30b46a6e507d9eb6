"""The names of targets: `process/PID` of this machine, or one in a cluster. Whether there is such a one is for launch/
and cluster/targets/ to see.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from mirrord_cli.config import known
from mirrord_cli.config.names import key_fault, label_fault, name_fault, value_fault

EXAMPLE = (
    "Name a target like deployment/shop, pod/shop-0/container/web or label/app=shop; on this machine, process/4711."
)
CONTAINER = "/container/"
TARGETLESS = "targetless"
LABEL = "label"
OBJECT_KEYS: Mapping[str, str] = {
    "process": "process",
    "pod": "pod",
    "deployment": "deployment",
    "stateful_set": "statefulset",
    "daemon_set": "daemonset",
    "replica_set": "replicaset",
    "rollout": "rollout",
    "job": "job",
    "cron_job": "cronjob",
    "service": "service",
    "labels": LABEL,
}
"""What a target's object in a file has, and the kind that it means."""
NAMED = tuple(kind for kind in OBJECT_KEYS.values() if kind not in {"process", LABEL})
"""Kinds of what has a name in a cluster."""
ALIASES: Mapping[str, str] = {"deploy": "deployment"}
KUBECTL: Mapping[str, str] = {
    "po": "pod", "sts": "statefulset", "ds": "daemonset", "rs": "replicaset", "cj": "cronjob", "svc": "service",
    "labels": LABEL,
}  # fmt: skip
"""Words of kubectl, to suggest ours for; the keys of OBJECT_KEYS are too."""
LIKE = 0.6  # as for keys: tree.py


class BadTarget(ValueError):
    """It names no target; says why in a sentence."""


class ClusterTarget(Struct, frozen=True):
    """Something in a cluster that has pods, or `targetless`."""

    kind: str
    """One of NAMED, `label`, or `targetless`."""
    name: str
    """Empty for `targetless`; `k=v,k2=v2` for `label`."""
    container: str | None = None

    @property
    def plain(self) -> str:
        """The name without the container: `deployment/shop`."""
        return f"{self.kind}/{self.name}" if self.name else self.kind


def parse_target(text: str) -> int | ClusterTarget:
    """Return the PID, or what in a cluster, a target's name means.

    Raises:
        BadTarget: It means nothing.
    """
    if not text:
        raise BadTarget("The target's name is empty.")
    kind, slash, rest = text.partition("/")
    kind = ALIASES.get(kind, kind)
    if kind == TARGETLESS:
        if slash:
            raise BadTarget(f"The target {text!r}: nothing follows {TARGETLESS}, which has no name and no container.")
        return ClusterTarget(TARGETLESS, "")
    if kind in known.TARGETS:
        raise BadTarget(f"The target {text!r} is not supported yet: containers of this machine are not.")
    if kind not in OBJECT_KEYS.values():
        raise BadTarget(_of_no_kind(text, kind, rest))
    if kind == "process":
        return _process(text, rest)
    return ClusterTarget(kind, *_name_and_container(text, kind, rest))


def target_name(target: int | ClusterTarget) -> str:
    """Return the name that parse_target would take."""
    if isinstance(target, int):
        return f"process/{target}"
    return target.plain + (f"{CONTAINER}{target.container}" if target.container else "")


def object_name(found: Mapping[str, Any]) -> str:
    """Return the name that an object in a file means, which has one of OBJECT_KEYS and perhaps `container`."""
    key = next(key for key in OBJECT_KEYS if found.get(key) is not None)
    name = found[key]
    if isinstance(name, dict):
        name = ",".join(f"{label}={value}" for label, value in name.items())
    container = found.get("container")
    return f"{OBJECT_KEYS[key]}/{name}" + (f"{CONTAINER}{container}" if container is not None else "")


def target_object(target: int | ClusterTarget) -> dict[str, Any] | str:
    """Return the object that object_name would take; `targetless` is a text in a file too."""
    if isinstance(target, int):
        return {"process": target}
    if target.kind == TARGETLESS:
        return TARGETLESS
    key = next(key for key, kind in OBJECT_KEYS.items() if kind == target.kind)
    name = dict(pair.split("=") for pair in target.name.split(",")) if target.kind == LABEL else target.name
    return {key: name} | ({"container": target.container} if target.container else {})


def _process(text: str, rest: str) -> int:
    if not rest:
        raise BadTarget(f"The target {text!r} names no process.")
    if not re.fullmatch(r"[1-9][0-9]*", rest):
        raise BadTarget(f"The target {text!r}: {rest!r} is no process's number.")
    return int(rest)


def _name_and_container(text: str, kind: str, rest: str) -> tuple[str, str | None]:
    name, slashes, container = f"{rest}/".rpartition(CONTAINER)
    name, container = (name, container.removesuffix("/")) if slashes else (rest, "")
    if not name:
        raise BadTarget(f"The target {text!r} names no {kind}.")
    if slashes and not container:
        raise BadTarget(f"The target {text!r} names no container.")
    if kind == LABEL:
        if fault := _labels_fault(name):
            raise BadTarget(f"The target {text!r}: {fault}.")
    elif fault := (label_fault if kind == "service" else name_fault)(name):
        raise BadTarget(f"The target {text!r}: {name!r} is no {kind}'s name: {fault}.")
    if slashes and (fault := label_fault(container)):
        raise BadTarget(f"The target {text!r}: {container!r} is no container's name: {fault}.")
    return name, container or None


def _labels_fault(text: str) -> str:
    seen = set[str]()
    for pair in text.split(","):
        key, equals, value = pair.partition("=")
        if not equals or not key or not value:
            return f"{pair!r} is no label: write KEY=VALUE, with commas between several"
        if key in seen:
            return f"the label {key} is there twice"
        if fault := key_fault(key):
            return f"{key!r} is no label's key: {fault}"
        if fault := value_fault(value):
            return f"{value!r} is no label's value: {fault}"
        seen.add(key)
    return ""


def _of_no_kind(text: str, kind: str, rest: str) -> str:
    from difflib import get_close_matches

    if text.isdecimal():
        return f"The target {text!r} has no kind; did you mean process/{text}?"
    if "/" not in text and "=" in text:
        return f"The target {text!r} has no kind; did you mean {LABEL}/{text}?"
    word = kind.lower()
    nearest = KUBECTL.get(word) or OBJECT_KEYS.get(word) or ALIASES.get(word)
    nearest = nearest or next(iter(get_close_matches(word, [*OBJECT_KEYS.values(), TARGETLESS], 1, LIKE)), None)
    if nearest:
        name = TARGETLESS if nearest == TARGETLESS else f"{nearest}/{rest or 'NAME'}"
        return f"The target {text!r} is of no known kind; did you mean {name}?"
    if "/" not in text and not name_fault(text):
        return f"The target {text!r} has no kind; did you mean deployment/{text} or pod/{text}?"
    return f"The target {text!r} is of no known kind."
