"""The least Role with which mirrord works, as YAML for people to read and apply. No I/O.

What it allows is written down beside the code that asks for it: targets/rights.py, agents/rights.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

from mirrord_cli.cluster.agents import rights as of_agents
from mirrord_cli.cluster.rights import Right
from mirrord_cli.cluster.targets import rights as of_targets

API = "rbac.authorization.k8s.io"
Mode = Literal["auto", "job", "ephemeral"]


class Subject(Struct, frozen=True):
    """Who gets the rights."""

    kind: Literal["User", "Group", "ServiceAccount"]
    name: str
    namespace: str = ""
    """Of a service account."""


class Wanted(Struct, frozen=True, kw_only=True):
    """What the Role is to be for."""

    mode: Mode = "auto"
    namespace: str = ""
    """The target's; empty for the one in which the Role is created."""
    agent_namespace: str = ""
    """That of Jobs; empty for the target's."""
    targetless: bool = False
    """Whether it is for agents without a target alone."""
    everywhere: bool = False
    """Whether it is for all namespaces."""
    subjects: tuple[Subject, ...] = ()
    name: str = "mirrord"


def roles(wanted: Wanted) -> str:
    """Return the documents, with a comment for each rule."""
    documents = []
    for namespace, rights in _by_namespace(wanted).items():
        kind = "ClusterRole" if wanted.everywhere else "Role"
        documents.append(_role(kind, wanted.name, namespace, rights))
        if wanted.subjects:
            documents.append(_binding(kind, wanted.name, namespace, wanted.subjects))
    return "---\n".join(documents)


def rights_in_target_namespace(wanted: Wanted) -> tuple[Right, ...]:
    """Return what is needed where the target is, if Jobs are elsewhere."""
    if wanted.targetless:
        return ()
    ephemeral = (*of_agents.EPHEMERAL, *of_agents.ANY) if wanted.mode != "job" else ()
    return (*of_targets.RIGHTS, *ephemeral)


def rights_in_agent_namespace(wanted: Wanted) -> tuple[Right, ...]:
    """Return what is needed where Jobs are."""
    if wanted.mode == "ephemeral" and not wanted.targetless:
        return ()
    return (*of_agents.JOB, *of_agents.ANY)


def _by_namespace(wanted: Wanted) -> dict[str, list[Right]]:
    agents = wanted.agent_namespace or wanted.namespace
    found: dict[str, list[Right]] = {}
    for namespace, rights in (
        (wanted.namespace, rights_in_target_namespace(wanted)),
        (agents, rights_in_agent_namespace(wanted)),
    ):
        if rights:
            found.setdefault("" if wanted.everywhere else namespace, []).extend(rights)
    return {namespace: merge(rights) for namespace, rights in found.items()}


def merge(rights: Iterable[Right]) -> list[Right]:
    """Return one right for each kind of object, with the reasons of all."""
    found: dict[tuple[str, str], Right] = {}
    for right in rights:
        before = found.get((right.group, right.resource), Right(right.group, right.resource, (), ""))
        verbs = tuple(dict.fromkeys((*before.verbs, *right.verbs)))
        reasons = dict.fromkeys(filter(None, (*before.why.splitlines(), right.why)))
        found[right.group, right.resource] = Right(right.group, right.resource, verbs, "\n".join(reasons))
    return list(found.values())


# ---------------------------------------------------------------------------------------------- YAML


def _role(kind: str, name: str, namespace: str, rights: Sequence[Right]) -> str:
    lines = [f"apiVersion: {API}/v1", f"kind: {kind}", *_metadata(name, namespace), "rules:"]
    rules: dict[tuple[str, tuple[str, ...], str], list[str]] = {}
    for right in rights:
        rules.setdefault((right.group, right.verbs, right.why), []).append(right.resource)
    for (group, verbs, why), resources in rules.items():
        lines += [f"  # {reason}" for reason in why.splitlines()]
        lines += [
            f"  - apiGroups: {_list(group)}",
            f"    resources: {_list(*resources)}",
            f"    verbs: {_list(*verbs)}",
        ]
    return "".join(f"{line}\n" for line in lines)


def _binding(kind: str, name: str, namespace: str, subjects: Sequence[Subject]) -> str:
    lines = [f"apiVersion: {API}/v1", f"kind: {kind}Binding", *_metadata(name, namespace)]
    lines += ["roleRef:", f"  apiGroup: {API}", f"  kind: {kind}", f"  name: {_text(name)}", "subjects:"]
    for subject in subjects:
        lines += [f"  - kind: {subject.kind}", f"    name: {_text(subject.name)}"]
        of = f"namespace: {_text(subject.namespace)}" if subject.kind == "ServiceAccount" else f"apiGroup: {API}"
        lines.append(f"    {of}")
    return "".join(f"{line}\n" for line in lines)


def _metadata(name: str, namespace: str) -> list[str]:
    return ["metadata:", f"  name: {_text(name)}", *([f"  namespace: {_text(namespace)}"] if namespace else [])]


def _list(*texts: str) -> str:
    return f"[{', '.join(map(json.dumps, texts))}]"


def _text(text: str) -> str:
    """Return a string as YAML, quoted where its like may be taken for something else."""
    return json.dumps(text, ensure_ascii=False)
