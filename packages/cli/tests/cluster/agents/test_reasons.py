"""The cluster's words become a sentence and a next step."""

from __future__ import annotations

import pytest

from mirrord_cli.cluster.agents.reasons import LONGEST, explain, words

RIGHTS = (
    'jobs.batch is forbidden: User "dev" cannot create resource "jobs" in API group "batch" in the namespace "shop"'
)
PARTS = (
    'pods "web-5d8" is forbidden: User "dev" cannot patch resource "pods/ephemeralcontainers" in API group "" in the'
    ' namespace "shop"'
)
SECURITY = (
    'Error creating: pods "mirrord-agent-abc-xyz12" is forbidden: violates PodSecurity "baseline:latest": host namespaces'
    ' (hostPID=true), non-default capabilities (container "mirrord-agent" must not include "SYS_ADMIN" in'
    " securityContext.capabilities.add)"
)
QUOTA = (
    'Error creating: pods "mirrord-agent-abc-xyz12" is forbidden: exceeded quota: small, requested: pods=1, used: pods=3,'
    " limited: pods=3"
)
UNSAID = 'Error creating: pods "mirrord-agent-abc-" is forbidden: failed quota: cpus: must specify requests.cpu for: mirrord-agent'
LIMITS = 'Error creating: pods "mirrord-agent-abc-" is forbidden: minimum memory usage per Container is 64Mi, but request is 1Mi'
WEBHOOK = (
    'Error creating: admission webhook "policies.example.com" denied the request: privileged pods are not welcome here'
)
POLICY = (
    "pods \"web-5d8\" is forbidden: ValidatingAdmissionPolicy 'images' with binding 'images' denied request: images come"
    " from registry.test"
)
ACCOUNT = (
    'Error creating: pods "mirrord-agent-abc-" is forbidden: error looking up service account shop/agent: serviceaccount'
    ' "agent" not found'
)
PRIORITY = 'Error creating: pods "mirrord-agent-abc-" is forbidden: no PriorityClass with name high was found'
STATIC = 'Pod "etcd" is invalid: []: Forbidden: static pods do not support ephemeral containers'
INVALID = 'Job.batch "mirrord-agent-abc" is invalid: spec.template.spec.tolerations[0].effect: Unsupported value: "No"'
NOWHERE = 'namespaces "shoop" not found'
SCC = (
    'pods "web" is forbidden: unable to validate against any security context constraint: [provider "anyuid": Forbidden:'
    " not usable by user or serviceaccount]"
)


@pytest.mark.parametrize(
    ("message", "status", "category", "text", "step"),
    [
        (RIGHTS, 403, "cluster", 'User "dev" cannot create resource "jobs"', "mirrord rbac -n shop"),
        (PARTS, 403, "cluster", 'User "dev" cannot patch resource "pods/eph', "mirrord rbac -n shop"),
        (SECURITY, 403, "cluster", 'Violates PodSecurity "baseline:latest": host', "agent.namespace"),
        (QUOTA, 403, "cluster", "Exceeded quota: small, requested: pods=1, used", "agent.resources"),
        (UNSAID, 403, "configuration", "Failed quota: cpus: must specify requests.cpu", "agent.resources"),
        (LIMITS, 403, "configuration", "Minimum memory usage per Container is 64Mi", "agent.resources"),
        (WEBHOOK, 403, "cluster", 'Admission webhook "policies.example.com" denied', "policy of this cluster"),
        (POLICY, 403, "cluster", "ValidatingAdmissionPolicy 'images' with", "policy of this cluster"),
        (SCC, 403, "cluster", "Unable to validate against any security", "policy of this cluster"),
        (ACCOUNT, 403, "configuration", "Error looking up service account shop/agent", "agent.service_account"),
        (PRIORITY, 403, "configuration", "No PriorityClass with name high was found.", "agent.priority_class"),
        (STATIC, 422, "you", 'Pod "etcd" is invalid: []: Forbidden: static pods', "agent.mode job"),
        (NOWHERE, 404, "you", 'Namespaces "shoop" not found.', "-n"),
        (INVALID, 422, "configuration", 'Job.batch "mirrord-agent-abc" is invalid', "`agent`"),
        ("the server could not find the requested resource", 404, "cluster", "The server could not find", "recent"),
        ("the moon is wrong", 403, "cluster", "The moon is wrong.", "agent.mode"),
    ],
)  # fmt: skip
def test_refusals(message: str, status: int, category: str, text: str, step: str) -> None:
    reason = explain(message, status=status, namespace="shop")

    assert reason.category == category
    assert reason.text.startswith(text)
    assert step in reason.next_step
    assert reason.next_step.endswith(".")


def test_the_namespace_is_named() -> None:
    assert "namespace shop labelled" in explain(SECURITY, namespace="shop").next_step


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("rpc error: code = NotFound desc = failed to pull\n  image", "Failed to pull image."),
        ('Error creating: pods "a" is forbidden: [no cpu, no memory]', "No cpu, no memory."),
        (
            "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available",
            "0/1 nodes are available: 1 Insufficient cpu.",
        ),
        ("", "No reason is given."),
        ("It is.", "It is."),
        ("x" * (LONGEST + 1), "X" + "x" * (LONGEST - 2) + "…."),
    ],
)
def test_words(message: str, text: str) -> None:
    assert words(message) == text
