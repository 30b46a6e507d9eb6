"""What to say when a target isn't there, may not be looked at, or has no pods. No I/O.

One more round is asked for it, all at once: what there is of that kind, whether the namespace exists, and where else the
name does. Whatever of that isn't allowed is left out of the words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mirrord_cli.cluster.objects import Json
from mirrord_cli.cluster.targets.asking import Answer, Ask, Refusal, Rounds, items, page
from mirrord_cli.cluster.targets.kinds import KINDS, NAMESPACES, POD, Kind
from mirrord_cli.cluster.targets.selectors import labels_of
from mirrord_cli.config.target import ClusterTarget
from mirrord_cli.errors import MirrordError

LIKE = 0.6  # as for keys of the configuration
SHOWN = 8
MISSING, FORBIDDEN = 404, 403


# ---------------------------------------------------------------------------------------------- refused


def refused(refusal: Refusal, verb: str, kind: Kind, namespace: str, text: str = "") -> MirrordError:
    """Return what to say of a question that the API server doesn't answer."""
    said = refusal.message.strip().rstrip(".")
    if refusal.status != FORBIDDEN:
        words = f"The cluster doesn't answer as to the {kind.plural} of namespace {namespace}: {said}."
        return MirrordError("cluster", f"{text} {words}".strip(), "Try again; if it stays so, ask whoever runs it.")
    words = f"You may not {verb} {kind.plural} in namespace {namespace}: {said}."
    group = f" (API group {kind.group})" if kind.group else ""
    role = f"`mirrord rbac -n {namespace}` prints the Role"
    step = f"Have the right to {verb} {kind.plural}{group} there given to you; {role}."
    return MirrordError("cluster", f"{text} {words}".strip(), step)


# ---------------------------------------------------------------------------------------------- not there


def absent(refusal: Refusal, target: ClusterTarget, namespace: str) -> Rounds[MirrordError]:
    """Find out what to say of an object that the API server doesn't give."""
    kind = KINDS[target.kind]
    if refusal.status == FORBIDDEN:
        (pods,) = yield (page(POD.collection(namespace)),)
        error = refused(refusal, "get", kind, namespace)
        if likely := _pods_of(target, items(pods)):
            step = f"{error.next_step}\nPods you may look at, so that one of them can be the target: {_list(likely)}."
            return MirrordError(error.category, error.text, step)
        if isinstance(pods, Refusal):
            step = f"{error.next_step}\nOr name another namespace (-n): this one needn't exist, you aren't told."
            return MirrordError(error.category, error.text, step)
        return error
    if refusal.status != MISSING:
        return refused(refusal, "get", kind, namespace)
    if not refusal.of_object:
        text = f"This cluster has no {kind.plural}: nothing in it serves {kind.group}/{kind.version}."
        return MirrordError("you", text, "Name a target of another kind, or choose another cluster with --context.")
    others = [other for other in KINDS.values() if other is not kind]
    siblings, there, namespaces, elsewhere, *alike = yield (
        page(kind.collection(namespace)),
        Ask(f"{NAMESPACES}/{namespace}"),
        page(NAMESPACES),
        page(kind.collection(""), fields=f"metadata.name={target.name}"),
        *(Ask(other.path(namespace, target.name)) for other in others),
    )
    if _is_missing(there):
        return no_namespace(namespace, namespaces)
    return _not_there(target, namespace, siblings, elsewhere, [
        f"{other.word}/{target.name}" for other, answer in zip(others, alike, strict=True)
        if not isinstance(answer, Refusal)
    ])  # fmt: skip


def _not_there(
    target: ClusterTarget, namespace: str, siblings: Answer, elsewhere: Answer, alike: Sequence[str]
) -> MirrordError:
    kind = KINDS[target.kind]
    steps = list[str]()
    names = by_likeness(target.name, (each["metadata"]["name"] for each in items(siblings)))
    if names and likeness(target.name, names[0]) >= LIKE:
        steps.append(f"Did you mean {kind.word}/{names[0]}?")
    if alike:
        steps.append(f"There is {_list(alike)}.")
    if spaces := [each["metadata"]["namespace"] for each in items(elsewhere)]:
        steps.append(
            f"There is one in {'namespace' if len(spaces) == 1 else 'the namespaces'} {_list(spaces)}: choose with -n."
        )
    if names:
        steps.append(f"Namespace {namespace} has {_list([f'{kind.word}/{name}' for name in names])}.")
    elif not isinstance(siblings, Refusal):
        steps.append(f"Namespace {namespace} has no {kind.plural}; `mirrord ls -n {namespace}` lists what it has.")
    text = f"There is no {kind.word} {target.name} in namespace {namespace}."
    return MirrordError("you", text, "\n".join(steps) or "Look at the name, and at the namespace (-n).")


def no_namespace(namespace: str, namespaces: Answer) -> MirrordError:
    """Return what to say of a namespace that isn't there."""
    names = by_likeness(namespace, (each["metadata"]["name"] for each in items(namespaces)))
    steps = list[str]()
    if names and likeness(namespace, names[0]) >= LIKE:
        steps.append(f"Did you mean {names[0]} (-n {names[0]})?")
    if names:
        steps.append(f"The cluster has the namespaces {_list(names)}.")
    text = f"There is no namespace {namespace}."
    return MirrordError("you", text, "\n".join(steps) or "Name another with -n, or another context with --context.")


def nothing_labelled(target: ClusterTarget, namespace: str) -> Rounds[MirrordError]:
    """Find out what to say of labels that no pod has."""
    there, namespaces, pods = yield (
        Ask(f"{NAMESPACES}/{namespace}"),
        page(NAMESPACES),
        page(POD.collection(namespace)),
    )
    if _is_missing(there):
        return no_namespace(namespace, namespaces)
    text = f"No pod in namespace {namespace} has the {_labels(target.name)}."
    steps = list[str]()
    found = [each["metadata"].get("labels") or {} for each in items(pods)]
    for key, _, value in (pair.partition("=") for pair in target.name.split(",")):
        values = by_likeness(value, (labels[key] for labels in found if key in labels))
        if not values:
            steps.append(f"None has a label {key}.")
        elif value not in values:
            steps.append(f"The label {key} is {_list(values)} there.")
    if not found:
        steps = ["There are no pods in it."]
    return MirrordError("you", text, "\n".join(steps) or "Each label alone is there, but no pod has all.")


def _is_missing(answer: Answer) -> bool:
    return isinstance(answer, Refusal) and answer.status == MISSING


def _pods_of(target: ClusterTarget, pods: Iterable[Json]) -> list[str]:
    """Return those pods whose owner's name speaks for a workload that can't be looked at."""
    owners = target.name, f"{target.name}-"
    return [
        f"pod/{pod['metadata']['name']}"
        for pod in pods
        for reference in pod["metadata"].get("ownerReferences") or []
        if reference["name"] == owners[0] or reference["name"].rpartition("-")[0] == owners[0]
    ]


# ---------------------------------------------------------------------------------------------- without pods


def no_pods(target: ClusterTarget, namespace: str, owner: Json) -> MirrordError:
    """Return what to say of a workload or a Service that has no pods now."""
    spec, status = owner.get("spec") or {}, owner.get("status") or {}
    within = f"-n {namespace}"
    match target.kind:
        case "service":
            text = f"selects no pods: none in namespace {namespace} has the {_labels(labels_of(spec['selector']))}"
            return _without(target, text, "Look at its selector, or name another target.")
        case "cronjob" if not spec.get("suspend"):
            last = f"; the last was started at {status['lastScheduleTime']}" if status.get("lastScheduleTime") else ""
            step = f"Wait for the next, or start one: kubectl create job {within} --from={target.plain} NAME"
            return _without(target, f"has no Job that runs now{last}", step)
        case "cronjob" | "job" if spec.get("suspend"):
            return _without(target, "is suspended", "Resume it, or name another target.")
        case "job" if ended := [one for one in status.get("conditions") or [] if one.get("status") == "True"]:
            return _without(target, f"has ended ({_said(ended[-1])})", "Start it anew, or name another target.")
        case "daemonset" if status.get("desiredNumberScheduled") == 0:
            return _without(target, "has no pods: no node is one of its", "Look at its node selector and tolerations.")
        case "deployment" | "statefulset" | "replicaset" | "rollout" if spec.get("replicas") == 0:
            step = f"Scale it up: kubectl scale {within} --replicas=1 {target.plain}"
            return _without(target, "has no pods: it is scaled to 0", step)
    failed = [
        _said(condition)
        for condition in status.get("conditions") or []
        if (condition.get("type") == "ReplicaFailure") == (condition.get("status") == "True")
    ]
    why = f" ({'; '.join(failed)})" if failed else ""
    step = f"Look at it with `kubectl describe {within} {target.plain}`, and try again when it has some."
    return _without(target, f"has no pods{why}", step)


def _without(target: ClusterTarget, text: str, step: str) -> MirrordError:
    return MirrordError("cluster", f"{target.plain} {text}.", step)


def _said(condition: Json) -> str:
    message = " ".join((condition.get("message") or "").split()).rstrip(".")
    return ": ".join(filter(None, (condition.get("reason"), message[:300]))) or str(condition.get("type"))


# ---------------------------------------------------------------------------------------------- words


def likeness(name: str, other: str) -> float:
    """Return how alike two names are, from 0 to 1."""
    from difflib import SequenceMatcher

    return SequenceMatcher(None, name, other).ratio()


def by_likeness(name: str, others: Iterable[str]) -> list[str]:
    """Return names, each once, the most alike first."""
    return sorted(set(others), key=lambda other: (-likeness(name, other), other))


def _labels(text: str) -> str:
    return f"labels {text}" if "," in text else f"label {text}"


def _list(words: Sequence[str]) -> str:
    more = f" and {len(words) - SHOWN} more" if len(words) > SHOWN else ""
    return ", ".join(words[:SHOWN]) + more
