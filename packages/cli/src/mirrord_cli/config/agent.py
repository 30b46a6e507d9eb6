"""What the keys of `agent`, `target` and `startup_retry` mean together: mistakes, warnings, and the mode and the image
that follow.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from mirrord_cli.config.keys import Config
from mirrord_cli.config.objects import IMAGE_PARTS, image_name, part_fault
from mirrord_cli.config.target import LABEL, NAMED, TARGETLESS, ClusterTarget, target_name
from mirrord_cli.config.values import Problem

OF_A_POD = ("namespace", "tolerations", "resources", "labels", "annotations", "service_account", "priority_class",
            "image_pull_secrets", "ttl")  # fmt: skip
"""Keys of `agent` that say something of a pod of its own, which an ephemeral container isn't."""
PROFILES = ("app_armor_profile", "seccomp_profile")

Target = int | ClusterTarget | None


def settle_agent(agent: dict[str, Any], image: Mapping[str, str], variables: Mapping[str, str]) -> Iterator[Problem]:
    """Write the mode and the image into values that are each right, and yield where they contradict each other.

    Args:
        agent: The values of `agent`.
        image: What the object of `agent.image` said, as long as nothing else says the whole.
        variables: Those that say what it didn't.
    """
    mode, ephemeral = agent.get("mode", "auto"), agent.get("ephemeral")
    wanted = {None: mode, True: "ephemeral", False: "job"}[ephemeral]
    if mode not in {"auto", wanted}:
        text = f"agent.ephemeral is {str(ephemeral).lower()} and agent.mode is {mode}: they contradict each other."
        yield Problem("agent.ephemeral", text, "Leave one of them out.")
    agent["mode"] = wanted
    if wanted != "auto":
        agent["ephemeral"] = wanted == "ephemeral"
    if image or "image" not in agent:
        said = {
            part: variables[name] for part, name in IMAGE_PARTS.items() if part not in image and variables.get(name)
        }
        for part, text in said.items():
            if fault := part_fault(part, text):
                yield Problem(IMAGE_PARTS[part], f"The variable {IMAGE_PARTS[part]}: {text!r}: {fault}.")
        if parts := said | dict(image):
            agent["image"] = image_name(parts)


def check_agent(values: Mapping[str, Any], target: Target) -> Iterator[Problem]:
    """Yield what is wrong with values that are each right."""
    agent = values.get("agent", {})
    if isinstance(target, ClusterTarget) and target.kind == TARGETLESS:
        if agent.get("mode") == "ephemeral":
            text = f"agent.mode: ephemeral needs a pod to put the agent into, and the target is {TARGETLESS}."
            yield Problem("agent.mode", text, "Name a target, or leave agent.mode and agent.ephemeral out.")
        if values.get("feature", {}).get("network", {}).get("incoming", {}).get("mode") == "steal":
            text = f"feature.network.incoming.mode: nothing can be stolen, since the target is {TARGETLESS}."
            yield Problem("feature.network.incoming.mode", text, "Name a target, or switch incoming off.")
    for name in PROFILES:
        path = f"agent.security_context.{name}"
        profile = agent.get("security_context", {}).get(name, {})
        local, named = profile.get("type") == "Localhost", "localhost_profile" in profile
        if local and not named:
            yield Problem(path, f"{path}.localhost_profile is missing: the type Localhost wants one.")
        elif named and not local:
            yield Problem(path, f"{path}.localhost_profile is for the type Localhost alone.")
    retry = values.get("startup_retry", {})
    least, most = (retry.get(name, default) for name, default in (("min_ms", 500), ("max_ms", 5000)))
    if least > most:
        text = f"startup_retry.min_ms is {least}, and startup_retry.max_ms, which can't be less, is {most}."
        yield Problem("startup_retry", text, "Raise the one, or lower the other.")


def compatible_kinds(config: Config) -> list[str]:
    """Return the kinds of targets that a configuration may be used with."""
    bound = config.agent.mode == "ephemeral" or config.feature.network.incoming.mode == "steal"
    return [kind for kind in (TARGETLESS, *NAMED, LABEL, "process") if kind != TARGETLESS or not bound]


def agent_warnings(config: Config, target: Target, said: Collection[str]) -> Iterator[str]:
    """Yield what is right, but has no effect.

    Args:
        config: The configuration.
        target: What it is for.
        said: The keys of `agent` that a user set.
    """
    if isinstance(target, int):
        if config.target.namespace:
            yield f"target.namespace has no effect: {target_name(target)} is a process of this machine."
        return
    if target is not None and target.kind == TARGETLESS:
        if config.agent.namespace:
            yield "agent.namespace has no effect without a target: the agent is started in target.namespace."
        return
    if config.agent.mode == "ephemeral" and (idle := [f"agent.{name}" for name in OF_A_POD if name in said]):
        yield f"{' and '.join(idle)}: no effect on an ephemeral container, which is part of the target's pod."
    if target is not None and config.agent.node_selector:
        yield "agent.node_selector has no effect with a target: the agent runs on the target's node."
