"""The part of the definition that is `agent`: what is started in a cluster beside the target, and how it behaves.

keys.py has the rest, and says what is made of it. What the values mean together is checked in agent.py. Objects that
Kubernetes takes as they are (`of`) keep the names of its API.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Struct

from mirrord_cli.config.key import note

Mode = Literal["auto", "job", "ephemeral"]
Capability = Literal["NET_ADMIN", "NET_RAW", "SYS_PTRACE", "SYS_ADMIN"]
LogLevel = Literal["debug", "info", "warning", "error"]
PullPolicy = Literal["IfNotPresent", "Always", "Never"]
ProfileType = Literal["RuntimeDefault", "Localhost", "Unconfined"]


class PullSecret(Struct, kw_only=True, frozen=True):
    name: Annotated[str, note("The Secret's name, in the agent's namespace.", form="name")]


class Toleration(Struct, kw_only=True, frozen=True):
    key: Annotated[str | None, note("The taint's key; without one, all.")] = None
    operator: Annotated[Literal["Exists", "Equal"] | None, note("Whether `value` has to be the taint's.")] = None
    value: Annotated[str | None, note("The taint's value.")] = None
    effect: Annotated[
        Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None, note("The taint's effect; without one, all.")
    ] = None
    tolerationSeconds: Annotated[  # noqa: N815 - the API's own name
        int | None, note("For how long, with `NoExecute`.", least=0, most=2**63 - 1)
    ] = None


class Resources(Struct, kw_only=True, frozen=True):
    requests: Annotated[dict[str, str], note("What is set aside for the agent.", form="quantities")] = {}
    limits: Annotated[dict[str, str], note("What it gets at most.", form="quantities")] = {}


class Profile(Struct, kw_only=True, frozen=True):
    type: Annotated[ProfileType, note("Which profile.")]
    localhost_profile: Annotated[str | None, note("The profile's name on the node, with the type `Localhost`.")] = None


class SecurityContext(Struct, kw_only=True, frozen=True):
    app_armor_profile: Annotated[Profile | None, note("The AppArmor profile.")] = None
    seccomp_profile: Annotated[Profile | None, note("The profile of system calls.")] = None


class Agent(Struct, kw_only=True, frozen=True):
    mode: Annotated[
        Mode,
        note(
            "What an agent in a cluster is. `job`: a pod of its own on the target's node. `ephemeral`: a container"
            " that is added to the target's pod, and stays listed there until the pod ends. `auto`: the first that the"
            " cluster admits.",
            variable="MIRRORD_AGENT_MODE",
        ),
    ] = "auto"
    ephemeral: Annotated[
        bool | None,
        note(
            "The same in another way: `true` is the mode `ephemeral`, `false` the mode `job`.",
            variable="MIRRORD_EPHEMERAL_CONTAINER",
            option=("--ephemeral-container", "-e"),
            says="true",
        ),
    ] = None
    namespace: Annotated[
        str | None,
        note(
            "The namespace of the agent's own pod; without it, the target's.",
            variable="MIRRORD_AGENT_NAMESPACE",
            option=("--agent-namespace", "-a"),
            form="label",
        ),
    ] = None
    image: Annotated[
        str | None,
        note(
            "The agent's image; without it, `mirrord-agent` with mirrord's version as its tag. In a file also an"
            " object with the keys `registry` (the name, without the tag) and `tag`; what isn't said there comes from"
            " MIRRORD_AGENT_IMAGE_REGISTRY and MIRRORD_AGENT_IMAGE_TAG.",
            variable="MIRRORD_AGENT_IMAGE",
            option=("--agent-image", "-i"),
            shorthand=("image",),
            form="image",
        ),
    ] = None
    image_pull_policy: Annotated[
        PullPolicy, note("When the image is fetched.", variable="MIRRORD_AGENT_IMAGE_PULL_POLICY")
    ] = "IfNotPresent"
    image_pull_secrets: Annotated[
        list[dict[str, str]], note("Secrets for fetching it: objects with the key `name`.", of=PullSecret)
    ] = []
    ttl: Annotated[
        int,
        note(
            "Seconds for which the cluster keeps the agent's Job once it has ended.",
            variable="MIRRORD_AGENT_TTL",
            option=("--agent-ttl",),
            least=0,
            most=65535,
        ),
    ] = 1
    communication_timeout: Annotated[
        int,
        note(
            "Seconds after which an agent that nobody talks to ends.",
            variable="MIRRORD_AGENT_COMMUNICATION_TIMEOUT",
            least=1,
            most=65535,
        ),
    ] = 30
    startup_timeout: Annotated[
        int,
        note(
            "Seconds within which the agent has to run.",
            variable="MIRRORD_AGENT_STARTUP_TIMEOUT",
            option=("--agent-startup-timeout",),
            least=1,
            most=86400,
        ),
    ] = 60
    flush_connections: Annotated[
        bool,
        note(
            "Connections to a port that were established before it is stolen or mirrored are reset; else they stay the"
            " target's.",
            variable="MIRRORD_AGENT_STEALER_FLUSH_CONNECTIONS",
        ),
    ] = True
    disabled_capabilities: Annotated[
        list[Capability],
        note("Capabilities that the agent is not given. What can't be done without them is told at the start."),
    ] = []
    privileged: Annotated[
        bool, note("The agent's container is privileged: SELinux or Bottlerocket may leave no other way.")
    ] = False  # fmt: skip
    tolerations: Annotated[
        list[dict[str, Any]] | None,
        note(
            "Taints of nodes that the agent's pod tolerates, as in a pod; without the key, all, or none if there is no"
            " target.",
            of=Toleration,
        ),
    ] = None
    resources: Annotated[
        dict[str, Any] | None,
        note(
            "What the agent's pod requests, and its limits, as in a pod; without the key, 1m of CPU and 1Mi of memory,"
            " and at most 1 and 200Mi.",
            of=Resources,
        ),
    ] = None
    labels: Annotated[dict[str, str], note("Further labels of the agent's Job and pod.", form="labels")] = {}
    annotations: Annotated[
        dict[str, str], note("Further annotations of the agent's Job and pod.", form="annotations")
    ] = {}  # fmt: skip
    node_selector: Annotated[
        dict[str, str], note("Labels of the node for an agent without a target.", form="labels")
    ] = {}  # fmt: skip
    service_account: Annotated[str | None, note("The service account of the agent's pod.", form="name")] = None
    priority_class: Annotated[str | None, note("The priority class of the agent's pod.", form="name")] = None
    security_context: Annotated[SecurityContext, note("Security profiles of the agent.")] = SecurityContext()
    log_level: Annotated[
        LogLevel,
        note(
            "How much the agent logs. `trace` and `warn` are understood too.",
            variable="MIRRORD_AGENT_RUST_LOG",
            option=("--agent-log-level", "-l"),
        ),
    ] = "info"
    disable_mesh_sidecar_injection: Annotated[
        bool, note("The agent's pod is labelled so that Istio, Linkerd, Kuma and Consul put no sidecar into it.")
    ] = True  # fmt: skip
