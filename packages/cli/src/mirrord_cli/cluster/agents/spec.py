"""What is created in a cluster to have an agent: a Job, or an ephemeral container in the target's pod. No I/O.

Which of them is tried is ladder.py's; the driver sends it. The agent's options are in packages/agent's options.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from hashlib import sha256

from msgspec import Struct, to_builtins

from mirrord_cli import VERSION
from mirrord_cli.cluster.agents.ladder import Rung
from mirrord_cli.cluster.objects import Json
from mirrord_cli.cluster.targets.found import FoundTarget
from mirrord_cli.config.agent_keys import Agent, Profile

CONTAINER = "mirrord-agent"
"""The container's name in a Job's pod; names of Jobs and ephemeral containers begin with it."""
LAST_WORDS = "/dev/termination-log"
"""Where the kubelet looks for them: the API's default, said so that agent and pod agree."""
GRACE = 5
"""Seconds from SIGTERM to SIGKILL; the agent needs a moment, and the kernel does the rest."""
PORTS = range(61000, 65536)
"""Where agents listen: above the ports that Linux gives to whoever asks for any (to 60999) and that Kubernetes gives to
Services of type NodePort (to 32767)."""

OTHERS = ("SYS_ADMIN", "SYS_PTRACE", "SETUID", "SETGID", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER")
"""For a Job: looking into another pod's process, entering its network, and reading files as its user does."""
TRAFFIC = ("NET_ADMIN",)
"""For connections that come: rules in the target's network."""
BECOMING = ("SETUID", "SETGID")
"""For an ephemeral container, that has to become the target's user to be let into its files."""
RESOURCES: Json = {"requests": {"cpu": "1m", "memory": "1Mi"}, "limits": {"cpu": "1", "memory": "200Mi"}}
TOLERATIONS: list[Json] = [{"operator": "Exists"}]
"""The agent has to go where the target is, whatever keeps others away."""
NO_SIDECAR_LABELS = {
    "sidecar.istio.io/inject": "false",
    "istio.io/dataplane-mode": "none",
    "kuma.io/sidecar-injection": "disabled",
}
NO_SIDECAR_ANNOTATIONS = {
    "sidecar.istio.io/inject": "false",
    "linkerd.io/inject": "disabled",
    "kuma.io/sidecar-injection": "disabled",
    "consul.hashicorp.com/connect-inject": "false",
}


class Start(Struct, frozen=True, kw_only=True):
    """What is this agent's alone."""

    name: str
    """Of its Job, or of its ephemeral container."""
    port: int
    token: bytes
    owner: str
    """Whose session it is, for people: `alice on laptop, process 4242`."""

    def __repr__(self) -> str:
        return f"Start(name={self.name!r}, port={self.port})"  # the token is for no log


def choose_port(taken: Collection[int], draw: Callable[[int], int]) -> int:
    """Return a port for an agent.

    Args:
        taken: Ports that the pod's containers are known to have.
        draw: Returns a number below the one it is given.
    """
    free = [port for port in PORTS if port not in taken]
    return free[draw(len(free))]


def default_image() -> str:
    """Return the image where none is named."""
    return f"mirrord-agent:{VERSION}"


def job(agent: Agent, found: FoundTarget | None, start: Start, rung: Rung) -> Json:
    """Return the Job for an agent; without a target, one that is its own."""
    metadata = _metadata(agent, found, start)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": start.name, **metadata},
        "spec": {
            "backoffLimit": 0,
            "ttlSecondsAfterFinished": agent.ttl,
            "template": {"metadata": metadata, "spec": _pod_spec(agent, found, start, rung)},
        },
    }


def ephemeral_patch(agent: Agent, found: FoundTarget, start: Start, rung: Rung) -> Json:
    """Return the strategic merge patch that adds an agent to the target's pod (its subresource ephemeralcontainers).

    With its id, so that a pod that has taken the place of another of its name (a StatefulSet's) is left alone.
    """
    container = _container(agent, found, start) | {
        "name": start.name,
        "targetContainerName": found.container,
        "securityContext": _ephemeral_security(agent, found, rung),
    }
    return {"metadata": {"uid": found.uid}, "spec": {"ephemeralContainers": [container]}}


# ---------------------------------------------------------------------------------------------- parts


def _metadata(agent: Agent, found: FoundTarget | None, start: Start) -> Json:
    user = start.owner.partition(" on ")[0]
    labels = {
        "app.kubernetes.io/name": "mirrord-agent",
        "app.kubernetes.io/managed-by": "mirrord",
        "mirrord.dev/owner": label_value(user) or "unknown",
    }
    annotations = {
        "mirrord.dev/owner": start.owner,
        "mirrord.dev/target": f"{found.namespace}/{found.pod}/{found.container}" if found else "targetless",
        "mirrord.dev/version": VERSION,
    }
    if agent.disable_mesh_sidecar_injection:
        labels |= NO_SIDECAR_LABELS
        annotations |= NO_SIDECAR_ANNOTATIONS
    return {"labels": labels | agent.labels, "annotations": annotations | agent.annotations}


def label_value(text: str) -> str:
    """Return a text as a label's value may be: letters, digits, `-_.`, at most 63, beginning and ending in the first."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text)[:63].strip("-_.")


def _pod_spec(agent: Agent, found: FoundTarget | None, start: Start, rung: Rung) -> Json:
    container = _container(agent, found, start) | {
        "name": CONTAINER,
        "resources": RESOURCES if agent.resources is None else agent.resources,
        "securityContext": _job_security(agent, found, rung) if found else _own_security(agent),
    }
    spec: Json = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": GRACE,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "containers": [container],
    }
    if found:
        spec |= {"hostPID": True, "affinity": _on_node(found.node)}
        spec["tolerations"] = TOLERATIONS if agent.tolerations is None else agent.tolerations
    else:
        spec["nodeSelector"] = {"kubernetes.io/os": "linux", **agent.node_selector}
        spec |= {"tolerations": agent.tolerations} if agent.tolerations else {}
    if agent.image_pull_secrets:
        spec["imagePullSecrets"] = agent.image_pull_secrets
    if agent.service_account:
        spec["serviceAccountName"] = agent.service_account
    if agent.priority_class:
        spec["priorityClassName"] = agent.priority_class
    return spec


def _on_node(name: str) -> Json:
    """Return the affinity to a node by its name, as DaemonSets have it: the scheduler still sees to room and taints.

    `nodeName` would pass the scheduler by, and the label `kubernetes.io/hostname` needn't be the node's name.
    """
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [name]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}


def _container(agent: Agent, found: FoundTarget | None, start: Start) -> Json:
    target = ["--target-container", found.container_id] if found else ["--target-self"]
    arguments = [
        *("--listen", str(start.port), "--token-digest", sha256(start.token).hexdigest(), *target),
        *("--owner", start.owner, "--communication-timeout", str(agent.communication_timeout)),
        *("--log-level", agent.log_level, "--termination-log", LAST_WORDS),
    ]
    return {
        "image": agent.image or default_image(),
        "imagePullPolicy": agent.image_pull_policy,
        "args": [argument.replace("$", "$$") for argument in arguments],  # $(NAME) would be a variable's value
        "terminationMessagePath": LAST_WORDS,
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


# ---------------------------------------------------------------------------------------------- rights


def _job_security(agent: Agent, found: FoundTarget, rung: Rung) -> Json:
    return _targets_rights(agent, found, rung, OTHERS)


def _own_security(agent: Agent) -> Json:
    """Return the rights of an agent without a target, which needs none: as Pod Security's `restricted` wants it."""
    context = {**_limited(agent, ()), "runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    return context | _profiles(agent)


def _ephemeral_security(agent: Agent, found: FoundTarget, rung: Rung) -> Json:
    if rung.level == "restricted":
        context = {**_limited(agent, ()), "runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
        context |= {"runAsUser": found.user_id}
        context |= {} if found.group_id is None else {"runAsGroup": found.group_id}
        return context | _profiles(agent)
    return _targets_rights(agent, found, rung, BECOMING)


def _targets_rights(agent: Agent, found: FoundTarget, rung: Rung, needed: Collection[str]) -> Json:
    if rung.privileged:
        return {"privileged": True, **_as_root(), **_profiles(agent)}
    # What runtimes give to whoever says nothing is kept: the kernel lets the agent into the target only with all that the
    # target has, and some of that (NET_RAW) may be had by default but not be asked for.
    added = (*needed, *found.added_capabilities, *(TRAFFIC if rung.incoming else ()))
    withheld = TRAFFIC if found.host_network else ()  # the node's network is nobody's to take ports in
    return {**_limited(agent, added, withheld), **_as_root(), **_profiles(agent)}


def _limited(agent: Agent, added: Collection[str], dropped: Collection[str] = ("ALL",)) -> Json:
    without = {*dropped, *(agent.disabled_capabilities if "ALL" not in dropped else ())}
    names = dict.fromkeys(name.removeprefix("CAP_") for name in added)
    capabilities = {
        "add": [name for name in names if name not in without and name not in agent.disabled_capabilities],
        "drop": sorted(without),
    }
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {way: names for way, names in capabilities.items() if names},
    }


def _as_root() -> Json:
    """Return who the agent is where it has capabilities: they are lost when another user executes a program."""
    return {"runAsUser": 0, "runAsGroup": 0, "runAsNonRoot": False}


def _profiles(agent: Agent) -> Json:
    context, names = agent.security_context, {"localhost_profile": "localhostProfile"}
    profiles: dict[str, Profile | None] = {
        "seccompProfile": context.seccomp_profile,
        "appArmorProfile": context.app_armor_profile,
    }
    return {
        key: {names.get(name, name): value for name, value in to_builtins(profile).items() if value is not None}
        for key, profile in profiles.items()
        if profile is not None
    }
