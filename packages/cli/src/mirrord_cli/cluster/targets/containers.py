"""Which container of a pod is the target, what state it is in, and what its spec says of it. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mirrord_cli.cluster.objects import Json
from mirrord_cli.environment.probes import Probe

DEFAULT = "kubectl.kubernetes.io/default-container"
"""The annotation that names the one that people mean: kubectl logs and exec heed it too."""
SIDECARS = frozenset((
    "istio-proxy", "istio-init", "istio-validation", "linkerd-proxy", "linkerd-init", "linkerd-network-validator",
    "kuma-sidecar", "kuma-init", "vault-agent", "vault-agent-init", "queue-proxy", "traffic-agent", "tel-agent-init",
    "consul-dataplane", "daprd",
))  # fmt: skip
"""Names that meshes and their like give to what they put into a pod."""
TELEPRESENCE = "traffic-agent"
CONTAINER_ID = re.compile(r"[a-z0-9.+-]+://([0-9a-f]{64})")
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")


class NoContainer(Exception):
    """The pod has no such container. `nearest` is one that may be meant."""

    def __init__(self, text: str, nearest: str | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.nearest = nearest


def choose_container(pod: Json, wanted: str | None) -> tuple[Json, tuple[str, ...]]:
    """Return the spec of the container that is the target, and warnings.

    Args:
        pod: The pod.
        wanted: The container's name, if one is named.

    Raises:
        NoContainer: It isn't there, or can't be a target.
    """
    name = pod["metadata"]["name"]
    containers = {container["name"]: container for container in pod["spec"]["containers"]}
    if wanted is not None:
        return _named(pod, wanted), ()
    default = (pod["metadata"].get("annotations") or {}).get(DEFAULT)
    if default in containers:
        return containers[default], ()
    warnings: tuple[str, ...] = ()
    if default:
        warnings = (f"The annotation {DEFAULT} of pod {name} names {default}, and there is no such container in it.",)
    main = [container for container in containers if container not in SIDECARS] or list(containers)
    if len(main) > 1:
        others = "container" if len(main) == 2 else "containers"
        text = f"Pod {name} has the containers {_and(main)}: the target is {main[0]}. Behind the target's name,"
        warnings += (f"{text} /container/NAME chooses the other {others}.",)
    return containers[main[0]], warnings


def _named(pod: Json, wanted: str) -> Json:
    name, spec = pod["metadata"]["name"], pod["spec"]
    main: list[Json] = spec["containers"]
    before: list[Json] = spec.get("initContainers") or []
    for container in (*main, *before):
        if container["name"] == wanted:
            if container in before and container.get("restartPolicy") != "Always":
                raise NoContainer(
                    f"The container {wanted} of pod {name} only prepares it: it ends before others start."
                )
            return container
    if any(container["name"] == wanted for container in spec.get("ephemeralContainers") or []):
        raise NoContainer(f"The container {wanted} of pod {name} is an ephemeral one, and these can't be targets.")
    from difflib import get_close_matches

    there = container_names(pod)
    nearest = next(iter(get_close_matches(wanted, there, 1)), None)
    raise NoContainer(f"Pod {name} has no container {wanted}: it has {_and(there)}.", nearest)


def container_names(pod: Json) -> tuple[str, ...]:
    """Return the names of what runs in a pod, sidecars that start before the others (`restartPolicy: Always`) too."""
    spec = pod["spec"]
    before = [each for each in spec.get("initContainers") or [] if each.get("restartPolicy") == "Always"]
    return tuple(container["name"] for container in (*spec["containers"], *before))


def candidates(pod: Json) -> list[str]:
    """Return the names of those containers that a person may mean."""
    names = [container["name"] for container in pod["spec"]["containers"]]
    return [name for name in names if name not in SIDECARS] or names


# ---------------------------------------------------------------------------------------------- state


def status_of(pod: Json, name: str) -> Json:
    """Return what the cluster says of a container; empty while it says nothing."""
    status = pod.get("status") or {}
    for found in (*(status.get("containerStatuses") or []), *(status.get("initContainerStatuses") or [])):
        if found["name"] == name:
            found_: Json = found
            return found_
    return {}


def is_running(pod: Json, name: str) -> bool:
    """Return whether a container runs."""
    return "running" in (status_of(pod, name).get("state") or {})


def is_ready(pod: Json, name: str) -> bool:
    """Return whether a container runs, and its readiness probe, if it has one, succeeds."""
    return is_running(pod, name) and bool(status_of(pod, name).get("ready"))


def container_id(pod: Json, name: str) -> str:
    """Return the runtime's id of a container that runs, without its prefix.

    Raises:
        NoContainer: It isn't one that an agent could find.
    """
    text = status_of(pod, name).get("containerID") or ""
    if match := CONTAINER_ID.fullmatch(text):
        return match[1]
    raise NoContainer(f"The container {name} of pod {pod['metadata']['name']} has an id of no known form: {text!r}.")


def why_not_running(pod: Json, name: str) -> str:
    """Return why a container doesn't run, as what follows its name in a sentence."""
    status = status_of(pod, name)
    state, last = status.get("state") or {}, status.get("lastState") or {}
    if waiting := state.get("waiting"):
        reason = _with_message("isn't running: " + (waiting.get("reason") or "it waits"), waiting)
        if terminated := last.get("terminated"):
            return f"{reason}; it ended last with {_ending(terminated)}"
        return reason
    if terminated := state.get("terminated"):
        return _with_message(f"has ended with {_ending(terminated)}", terminated)
    return "isn't running yet"


def _ending(terminated: Json) -> str:
    code, reason = terminated.get("exitCode"), terminated.get("reason")
    return f"exit code {code}" + (f" ({reason})" if reason not in {None, "Error", "Completed"} else "")


def _with_message(text: str, state: Json) -> str:
    message = " ".join((state.get("message") or "").split()).rstrip(".")
    return f"{text} ({message[:300]})" if message else text


# ---------------------------------------------------------------------------------------------- spec


def identity_of(pod: Json, container: Json, key: str) -> int | None:
    """Return `runAsUser` or `runAsGroup`, whichever of container and pod says it first."""
    for context in (container.get("securityContext") or {}, pod["spec"].get("securityContext") or {}):
        if context.get(key) is not None:
            found: int = context[key]
            return found
    return None


def runs_as_non_root(pod: Json, container: Json) -> bool:
    """Return whether the cluster has to refuse root."""
    for context in (container.get("securityContext") or {}, pod["spec"].get("securityContext") or {}):
        if context.get("runAsNonRoot") is not None:
            return bool(context["runAsNonRoot"])
    return False


def capabilities_of(container: Json) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return those that are added to and dropped from what the runtime gives, in capitals and without `CAP_`."""
    context = container.get("securityContext") or {}
    capabilities = context.get("capabilities") or {}
    added, dropped = (
        tuple(name.upper().removeprefix("CAP_") for name in capabilities.get(way) or []) for way in ("add", "drop")
    )
    return (("ALL",) if context.get("privileged") else added), dropped


def probes_of(pod: Json) -> tuple[Probe, ...]:
    """Return the ports of a pod that the kubelet asks, one for each port: all containers share them."""
    sources: dict[int, list[str]] = {}
    spec = pod["spec"]
    before = [each for each in spec.get("initContainers") or [] if each.get("restartPolicy") == "Always"]
    for container in (*spec["containers"], *before):
        for key in PROBES:
            for port in _probed(container, container.get(key) or {}):
                source = f"{key.removesuffix('Probe')} probe of container {container['name']}"
                sources.setdefault(port, []).append(source)
    return tuple(Probe(port, _and(found)) for port, found in sources.items())


def _probed(container: Json, probe: Json) -> Iterator[int]:
    for way in ("httpGet", "tcpSocket", "grpc"):
        asked = probe.get(way)
        if asked and not asked.get("host"):
            port = _port(container, asked.get("port"))
            if port:
                yield port


def _port(container: Json, port: int | str | None) -> int | None:
    if isinstance(port, str):
        for declared in container.get("ports") or []:
            if declared.get("name") == port:
                return int(declared["containerPort"])
        return int(port) if port.isdecimal() else None
    return port


def _and(words: tuple[str, ...] | list[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
