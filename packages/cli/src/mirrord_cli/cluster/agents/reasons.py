"""Why a cluster refuses an agent: its own words, and what can be done about them. No I/O.

The words are those of the API server, of admission, and of the events of a Job; those of a pod are in watching.py.
"""

from __future__ import annotations

import re

from msgspec import Struct

LONGEST = 1000
"""Characters of the cluster's words that are shown."""
SUBJECT = re.compile(r'^(?:Error creating: )?(?:[\w.-]+ (?:"[^"]*" )?is forbidden: )?', re.DOTALL)
"""What stands before the reason: the name of a pod that never was, mostly."""
SCHEDULING = re.compile(r",? (?:no new claims to deallocate, )?preemption: .*")
"""What the scheduler says of pods that could give way: there are none."""
TRANSPORT = re.compile(r"rpc error: code = \w+ desc = ")
ELSEWHERE = "name a namespace that admits it for the agent's Job: agent.namespace (-a)"
ELSEWHERE_ALONE = "name a namespace that admits it: -n"
"""Likewise, for an agent without a target."""
PASSING = re.compile(r"the object has been modified|failed calling webhook|etcdserver|timed? ?out|deadline exceeded")
"""What says that it may go better another time: a Job's controller tries again by itself."""


class Reason(Struct, frozen=True):
    """Why something isn't to be had, and what to do."""

    text: str
    """The cluster's words, a whole sentence."""
    next_step: str
    category: str = "cluster"


def words(message: str) -> str:
    """Return what a cluster says as a sentence for people."""
    text = SCHEDULING.sub("", TRANSPORT.sub("", SUBJECT.sub("", " ".join(message.split()))))
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    if len(text) > LONGEST:
        text = text[: LONGEST - 1] + "…"
    return text[:1].upper() + text[1:].rstrip(".") + "." if text else "No reason is given."


def explain(message: str, *, status: int = 403, namespace: str, alone: bool = False) -> Reason:
    """Return what to tell of a refusal.

    Args:
        message: The cluster's words.
        status: That of HTTP.
        namespace: Where the agent was to be.
        alone: Whether it was to be one without a target.
    """
    text = words(message)
    for pattern, category, step in STEPS:
        if pattern.search(message):
            elsewhere = ELSEWHERE_ALONE if alone else ELSEWHERE
            return Reason(text, step.format(namespace=namespace, elsewhere=elsewhere), category)
    if status == 422:
        return Reason(text, "Correct what the configuration says of `agent`.", "configuration")
    if status == 404:
        return Reason(text, "See that namespace and target exist, and that the cluster is recent enough.")
    return Reason(text, "Ask those who run the cluster, or choose another agent.mode.")


def is_replaced(message: str, pod: str) -> bool:
    """Return whether the words mean that this pod isn't there any more, or that another of its name is."""
    return bool(pod) and (f'pods "{pod}" not found' in message or "metadata.uid: Invalid value" in message)


STEPS = [
    (re.compile(pattern), category, step)
    for pattern, category, step in (
        (
            r'User "[^"]*" cannot \w+ resource "',
            "cluster",
            "Ask for the rights: `mirrord rbac -n {namespace}` prints the least; -a for an agent.namespace of its own.",
        ),
        (
            "violates PodSecurity",
            "cluster",
            "Have the namespace {namespace} labelled pod-security.kubernetes.io/enforce: privileged, or {elsewhere}.",
        ),
        (
            "exceeded quota",
            "cluster",
            "Make room in the quota, ask for less (agent.resources), or {elsewhere}.",
        ),
        (
            "failed quota",
            "configuration",
            "Give what the quota wants in agent.resources, or {elsewhere}.",
        ),
        (
            r"(minimum|maximum) [\w./-]+ usage per|max limit to request ratio",
            "configuration",
            "Give agent.resources that the LimitRange of namespace {namespace} admits.",
        ),
        (
            r"admission webhook|ValidatingAdmissionPolicy|security context constraint|MutatingAdmissionPolicy",
            "cluster",
            "It is a policy of this cluster: ask those who keep it for an exception, or {elsewhere}.",
        ),
        (
            r'serviceaccounts? "[^"]*" not found',
            "configuration",
            "Name a service account of namespace {namespace}: agent.service_account.",
        ),
        (
            "no PriorityClass",
            "configuration",
            "Name a priority class that exists: agent.priority_class.",
        ),
        (
            r'namespaces? "[^"]*" not found|is being terminated',
            "you",
            "Name a namespace that exists and stays: -n for the target, agent.namespace (-a) for the agent's Job.",
        ),
        (
            "static pods do not support ephemeral containers",
            "you",
            "A pod that its node's kubelet makes can only be reached by a Job: agent.mode job.",
        ),
    )
]
"""What the words look like, whose turn it is, and what to do; the first that matches counts."""
