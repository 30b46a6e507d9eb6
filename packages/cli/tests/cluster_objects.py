"""Objects of the API as a server sends them, with what a test doesn't care for left out."""

from __future__ import annotations

from typing import Any, TypeVar

from mirrord_cli.cluster.objects import Json
from mirrord_cli.cluster.targets.asking import Answer, Ask, Refusal, Rounds

T = TypeVar("T")
ID = "ab" * 32


def metadata(name: str, owner: Json | None = None, /, **more: Any) -> Json:
    """Metadata; what it is owned by is another object."""
    found: Json = {"name": name, "namespace": "shop", "uid": f"uid-of-{name}"} | more
    if owner:
        reference = {"uid": owner["metadata"]["uid"], "name": owner["metadata"]["name"], "controller": True}
        found["ownerReferences"] = [reference]
    return found


def status(name: str, state: str = "ready", **more: Any) -> Json:
    """A container's status: ready, running, or what waits, or ended."""
    found: Json = {"name": name, "ready": state == "ready", "started": True, "restartCount": 0}
    if state in {"ready", "running"}:
        found |= {"state": {"running": {}}, "containerID": f"containerd://{ID}"}
    else:
        found |= {"state": {"waiting": {"reason": state}}, "started": False}
    return found | more


def pod(
    name: str = "web-1",
    containers: dict[str, str] | None = None,
    owner: Json | None = None,
    *,
    spec: Json | None = None,
    phase: str = "Running",
    statuses: list[Json] | None = None,
    **more: Any,
) -> Json:
    """A pod; its containers by name, with their states."""
    states = containers or {"web": "ready"}
    ready = all(state == "ready" for state in states.values())
    return {
        "metadata": metadata(name, owner, **{"creationTimestamp": "2026-01-01T00:00:00Z", **more}),
        "spec": {"nodeName": "node-1", "containers": [{"name": each} for each in states]} | (spec or {}),
        "status": {
            "phase": phase,
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "containerStatuses": [status(each, state) for each, state in states.items()]
            if statuses is None
            else statuses,
        },
    }


def workload(name: str = "web", owner: Json | None = None, /, labels: Json | None = None, **spec: Any) -> Json:
    """An object with a selector."""
    return {
        "metadata": metadata(name, owner),
        "spec": {"selector": {"matchLabels": labels or {"app": name}}, **spec},
        "status": {},
    }


def several(*objects: Json) -> Json:
    """A list, as one answer."""
    return {"kind": "List", "metadata": {}, "items": list(objects)}


class Cluster:
    """What there is, by path (with `?labelSelector` where a test cares), and what was asked, round by round."""

    def __init__(self, objects: dict[str, Answer]) -> None:
        self.objects = objects
        self.rounds: list[list[str]] = []

    def answer(self, asked: tuple[Ask, ...]) -> tuple[Answer, ...]:
        """Answer a round."""
        self.rounds.append([self._name(ask) for ask in asked])
        return tuple(self._answer(ask) for ask in asked)

    def play(self, rounds: Rounds[T]) -> T:
        """Answer all rounds; what comes of them."""
        try:
            asked = next(rounds)
            while True:
                asked = rounds.send(self.answer(asked))
        except StopIteration as done:
            found: T = done.value
            return found

    def _name(self, ask: Ask) -> str:
        labels = dict(ask.query).get("labelSelector")
        return f"{ask.path}?{labels}" if labels else ask.path

    def _answer(self, ask: Ask) -> Answer:
        missing = Refusal(404, f"{ask.path.rpartition('/')[2]} not found")
        return self.objects.get(self._name(ask), self.objects.get(ask.path, missing))
