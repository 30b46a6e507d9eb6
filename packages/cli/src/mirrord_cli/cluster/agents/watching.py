"""An agent on its way, as the cluster tells of it: what is waited for, that it runs, or why it doesn't. No I/O.

Pods and events come in as the API's objects (JSON), a state for people comes out. The driver watches; the words with
which the API server refuses to create something are in reasons.py.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from mirrord_cli.cluster.agents.reasons import LONGEST, PASSING, explain, words
from mirrord_cli.cluster.agents.spec import default_image
from mirrord_cli.cluster.objects import Json

UNAVAILABLE = 69
"""The agent's exit code when it can't find its target or can't listen; it says why."""
MISUSED = 2
DEFECT = 70
KILLED = 137
"""That of SIGKILL."""
FOREIGN = "exec format error"
"""What the kernel says of a program that is for another processor."""
IMAGE = {
    "ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError",
    "RegistryUnavailable", "SignatureValidationFailed",
}  # fmt: skip
NOT_CREATED = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CreatePodSandboxError"}
NOT_STARTED = {"StartError", "ContainerCannotRun"}
"""Reasons of a container that ended before its program began."""
FIRST_LOOK = 0.2
"""Seconds after which events are asked for while a Job has no pod. It mostly has one by then."""
FIRST_LOOK_AT_POD = 1.5
"""Likewise, while a pod doesn't run."""
LAST_LOOKS = 2.0
"""Seconds between looks; there are fewer and fewer until then."""
ROOM = 3.0
"""Seconds for which a node may have no room: an agent that just ended may be about to leave it."""


class Waiting(Struct, frozen=True):
    """It isn't there yet; what is waited for, in a few words."""

    text: str


class Running(Struct, frozen=True):
    """Its container runs."""


class Failed(Struct, frozen=True):
    """It won't run."""

    text: str
    """The reason, in whole sentences."""
    next_step: str
    category: str = "cluster"
    refused: bool = False
    """Whether another kind of agent may do better."""


State = Waiting | Running | Failed


class Watched(Struct, frozen=True, kw_only=True):
    """What is to be known of an agent in order to read what the cluster says of it."""

    job: str
    """The Job's name; empty for an ephemeral container."""
    pod: str
    """The target's, for an ephemeral container; else empty until there is one."""
    container: str
    image: str
    namespace: str
    node: str
    """Where it has to be; empty for any."""
    uid: str = ""
    """The target's pod's, for an ephemeral container: another may have its name, before it or after it."""


class Watching:
    """Follows one agent."""

    def __init__(self, agent: Watched) -> None:
        self._agent = agent
        self.pod = agent.pod
        """The name of the agent's or the target's, once it has a node."""
        self.pod_uid = ""
        """The id of the agent's or the target's, once it was seen."""
        self._said = ""
        """The cluster's last complaint, for when the time is over."""
        self._unplaced = ""
        self._unplaced_until: float | None = None
        self._next_look = 0.0
        self._blind = False
        self.state: State = Waiting(
            "waiting for the node to take the agent" if agent.pod else "waiting for the agent's pod"
        )

    def see_pod(self, change: str, pod: Json) -> State:
        """Take in a change of a pod: `ADDED`, `MODIFIED` or `DELETED`, and the pod."""
        if self._agent.uid and pod["metadata"]["uid"] != self._agent.uid:
            return self.state
        self.pod_uid = pod["metadata"]["uid"]
        if _node(pod):
            self.pod = pod["metadata"]["name"]
        self.state = self._state(change, pod)
        return self.state

    def see_events(self, events: Iterable[Json]) -> State:
        """Take in what events say of the Job or the pod; all of them, each time."""
        if isinstance(self.state, Waiting):
            for event in sorted(events, key=_when):
                self._see_event(event)
        return self.state

    def see_time(self, elapsed: float) -> State:
        """Take in how many seconds ago the agent was created."""
        if not self._unplaced:
            self._unplaced_until = None
        elif self._unplaced_until is None:
            self._unplaced_until = elapsed + ROOM
        elif elapsed >= self._unplaced_until and isinstance(self.state, Waiting):
            text = f"The agent's pod gets no place on node {self._agent.node}: {words(self._unplaced)}"
            step = (
                "Make room there, or let the agent do with less: agent.resources, agent.tolerations,"
                " agent.priority_class. An ephemeral container needs no place: agent.mode ephemeral."
            )
            self.state = Failed(text, step, refused=True)
        return self.state

    def see_no_events(self) -> None:
        """Take in that the user may not read events."""
        self._blind = True

    def wants_events(self, elapsed: float) -> bool:
        """Return whether it is time to ask for events, and take it that they are asked for now.

        Args:
            elapsed: Seconds since the agent was created.
        """
        due = max(self._next_look, FIRST_LOOK_AT_POD if self.pod_uid or self._agent.pod else FIRST_LOOK)
        if elapsed < due or self._blind or not isinstance(self.state, Waiting):
            return False
        self._next_look = elapsed + min(elapsed, LAST_LOOKS)
        return True

    def late(self, seconds: float) -> Failed:
        """Return what to tell when it isn't running after this time."""
        last = self.state.text if isinstance(self.state, Waiting) else "nothing was heard of it"
        text = f"The agent didn't run within {seconds:g} s; the last that was seen: {last}."
        if self._said:
            text = f"{text} {words(self._said)}"
        elif self._blind:
            text = f"{text} Events would tell more, but you have no right to list them."
        step = "Look at the node and the pod with `kubectl describe`, or wait longer: agent.startup_timeout."
        return Failed(text, step)

    # ------------------------------------------------------------------------------------------ pods

    def _state(self, change: str, pod: Json) -> State:
        agent, status = self._agent, pod.get("status", {})
        self._unplaced = ""
        name = pod["metadata"]["name"]
        if change == "DELETED" or pod["metadata"].get("deletionTimestamp"):
            whose = "target's" if agent.pod else "agent's"
            return Failed(f"The {whose} pod {name} was removed while the agent started.", "Try again.")
        if status.get("phase") in {"Failed", "Succeeded"} and (agent.pod or status.get("reason")):
            return self._pod_failed(status)
        match _container(status, agent.container):
            case {"state": {"terminated": dict(ended)}}:
                return self._ended(ended)
            case {"state": {"running": dict()}}:
                return Running()
            case {"state": {"waiting": dict(waiting)}} if state := self._hindered(waiting):
                return state
        for condition in status.get("conditions", []):
            if condition["type"] == "PodScheduled" and condition["status"] == "False":
                self._said = condition.get("message", "")
                if self._agent.node and not status.get("nominatedNodeName"):  # else others are moved to make room
                    self._unplaced = self._said
                return Waiting(self._place())
        if not _node(pod):
            return Waiting(self._place())
        if unfinished := _unfinished(pod):
            return Waiting(f"waiting for {unfinished}, which was added to the agent's pod")
        return Waiting(f"starting the agent on node {_node(pod)}")

    def _pod_failed(self, status: Json) -> Failed:
        if self._agent.pod:
            return Failed("The target's pod has ended while the agent started.", "Try again.")
        reason, message = status["reason"], status.get("message", "")
        text = (
            f"The agent's pod failed ({reason}): {words(message)}" if message else f"The agent's pod failed: {reason}."
        )
        step = (
            "Look at the node with `kubectl describe`, or choose agent.mode ephemeral, which needs no pod of its own."
        )
        return Failed(text, step, refused=True)

    def _place(self) -> str:
        return f"waiting for a place on node {self._agent.node}" if self._agent.node else "waiting for a node"

    def _hindered(self, waiting: Json) -> Failed | None:
        reason, message = waiting.get("reason", ""), waiting.get("message", "")
        if reason in IMAGE:
            text = f"The node can't get the agent's image {self._agent.image}: {words(message or reason)}"
            step = (
                "Name an image that the node has or may pull: agent.image (-i), agent.image_pull_policy,"
                " agent.image_pull_secrets."
            )
            if self._agent.image == default_image():
                step = (
                    "It is looked for under that name where none is named. Build it as mirrord's docs/image.md says, put"
                    f" it where the cluster finds it, and name it. {step}"
                )
            return Failed(text, step, "configuration")
        if reason in NOT_CREATED:
            return self._not_started(message or reason)
        return None

    def _not_started(self, message: str) -> Failed:
        text = f"The node doesn't start the agent's container: {words(message)}"
        return Failed(text, "Ask those who run the cluster, or choose another agent.mode.", refused=True)

    def _ended(self, ended: Json) -> Failed:
        reason, code, agent = ended.get("reason", ""), ended.get("exitCode", 0), self._agent
        said = _last_words(ended)
        if reason == "OOMKilled":
            step = "Give it more: agent.resources, limits.memory." if agent.job else "Give the target's pod more."
            return Failed("The agent was killed for want of memory.", step, "configuration")
        if FOREIGN in said:
            step = f"{agent.image} is for another kind of processor than the node's: agent.image (-i)."
            return Failed(f"The node can't run the agent: {words(said)}", step, "configuration")
        if reason in NOT_STARTED:
            return self._not_started(said)
        text = f"The agent ended before it was met (exit code {code}): {words(said)}" if said else (
            f"The agent ended before it was met, without a word (exit code {code})."
        )  # fmt: skip
        if code == UNAVAILABLE:
            return Failed(text, "Do what it says, or choose another agent.mode.", refused=True)
        if code == MISUSED:
            step = f"Use an image of the same version as mirrord's: agent.image (-i) is {agent.image}."
            return Failed(text, step, "configuration")
        if code == DEFECT:
            return Failed(text, "Report it, with these words.", "us")
        if code == KILLED:
            step = "Its node did that, perhaps for want of memory: look at it with `kubectl describe`, and try again."
            return Failed(text, step)
        return Failed(text, f"See that {agent.image} is an image of mirrord's agent: agent.image (-i).")

    # ------------------------------------------------------------------------------------------ events

    def _see_event(self, event: Json) -> None:
        reason, message = event.get("reason", ""), event.get("message", "")
        about = event.get("involvedObject", {})
        if about.get("kind") == "Job":
            if reason == "FailedCreate" and PASSING.search(message):
                self._said = message
            elif reason == "FailedCreate" and not self.pod_uid:
                why = explain(message, namespace=self._agent.namespace, alone=not self._agent.node)
                self.state = Failed(why.text, why.next_step, why.category, refused=True)
            return
        path = about.get("fieldPath", "")
        if path and f"{{{self._agent.container}}}" not in path:
            return
        if reason == "Pulling":
            self.state = Waiting(f"pulling the agent's image {self._agent.image}")
        elif reason == "Pulled":
            self.state = Waiting("starting the agent")
        elif event.get("type") == "Warning" and (path or not self._agent.pod):
            self._said = message


def _when(event: Json) -> str:
    return event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or ""


def _node(pod: Json) -> str:
    node: str = pod.get("spec", {}).get("nodeName", "")
    return node


def _container(status: Json, name: str) -> Json | None:
    for kind in ("containerStatuses", "ephemeralContainerStatuses"):
        for container in status.get(kind, []):
            if container["name"] == name:
                found: Json = container
                return found
    return None


def _unfinished(pod: Json) -> str:
    """Return the init container that a pod is at, if somebody gave it one."""
    for container in pod.get("status", {}).get("initContainerStatuses", []):
        if not container.get("started") and "terminated" not in container.get("state", {}):
            return f"the container {container['name']}"
    return ""


def last_words(pod: Json, container: str) -> str | None:
    """Return what a pod's container said when it ended, as a sentence; empty if it said nothing, None if it runs."""
    match _container(pod.get("status", {}), container):
        case {"state": {"running": dict()}}:
            return None
        case {"state": {"terminated": {"reason": "OOMKilled"}}}:
            return "It was killed for want of memory."
        case {"state": {"terminated": dict(ended)}} if said := _last_words(ended):
            return words(said)
    return ""


def _last_words(ended: Json) -> str:
    """Return what a container said last: a message of its own, or the end of its log, whose last line says most."""
    lines = [line.removeprefix("mirrord-agent: ") for line in ended.get("message", "").splitlines() if line.strip()]
    return lines[-1][:LONGEST] if lines and ended.get("exitCode") != UNAVAILABLE else " ".join(lines)
