"""One cluster, as one user: asked again what failed in passing, watched, asked at once."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from answering import Answering, Asked, answer, answering
from mirrord_cli.cluster.api import driver
from mirrord_cli.cluster.api.driver import Api, open_api, open_configured
from mirrord_cli.cluster.api.machine import Refused, Retry
from mirrord_cli.config.keys import Config
from mirrord_cli.errors import MirrordError
from mirrord_cli.session.access import Access

PODS = "/api/v1/namespaces/shop/pods"
QUICK = Retry(min_ms=1, max_ms=5, max_retries=2)
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def status(code: int, message: str = "so", reason: str = "") -> bytes:
    return answer(code, json.dumps({"kind": "Status", "message": message, "reason": reason, "code": code}).encode())


def thing(**values: Any) -> bytes:
    return answer(200, json.dumps(values).encode())


class Script:
    """Answers with one after the other."""

    def __init__(self) -> None:
        self.answers: list[bytes | Iterator[bytes]] = []

    def __call__(self, asked: Asked) -> bytes | Iterator[bytes]:
        return self.answers.pop(0)


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def server(script: Script) -> Iterator[Answering]:
    with answering(script) as found:
        yield found


@pytest.fixture
def api(server: Answering) -> Iterator[Api]:
    found = Api(Access(server=server.url), "shop", QUICK)
    yield found
    found.close()


def asked(server: Answering) -> list[tuple[str, str, dict[str, str]]]:
    return [(each.method, each.path, each.query) for each in server.asked]


def test_questions(api: Api, server: Answering, script: Script) -> None:
    script.answers = [thing(kind="PodList"), thing(a=1), thing(b=2), thing(), thing()]

    assert api.get(PODS, labelSelector="a=b,c=d") == {"kind": "PodList"}
    assert api.create(PODS, {"kind": "Pod"}, dryRun="All") == {"a": 1}
    assert api.patch(f"{PODS}/x", {"spec": {}}) == {"b": 2}
    api.patch(f"{PODS}/x", {}, "application/merge-patch+json")
    api.delete(f"{PODS}/x", propagationPolicy="Background")

    assert asked(server) == [
        ("GET", PODS, {"labelSelector": "a=b,c=d"}),
        ("POST", PODS, {"dryRun": "All"}),
        ("PATCH", f"{PODS}/x", {}),
        ("PATCH", f"{PODS}/x", {}),
        ("DELETE", f"{PODS}/x", {"propagationPolicy": "Background"}),
    ]
    assert [each.header("content-type") for each in server.asked] == [
        [], ["application/json"], ["application/strategic-merge-patch+json"], ["application/merge-patch+json"], [],
    ]  # fmt: skip
    assert json.loads(server.asked[1].body) == {"kind": "Pod"}


def test_refusals(api: Api, script: Script) -> None:
    script.answers = [status(404), status(404), status(403)]

    with pytest.raises(Refused) as caught:
        api.get(f"{PODS}/x")
    assert (caught.value.status, caught.value.what) == (404, f"GET {PODS}/x")
    api.delete(f"{PODS}/x")
    with pytest.raises(Refused):
        api.delete(f"{PODS}/x")


def test_what_fails_in_passing_is_asked_again(api: Api, server: Answering, script: Script) -> None:
    script.answers = [status(503), iter((b"",)), thing(a=1)]

    assert api.get(PODS) == {"a": 1}
    assert len(server.asked) == 3


def test_but_not_for_ever(api: Api, script: Script) -> None:
    script.answers = [status(503, "first"), status(503, "second"), status(429, "third")]
    with pytest.raises(Refused, match="third"):
        api.get(PODS)

    script.answers = [iter((b"",)) for _ in range(3)]
    with pytest.raises(MirrordError, match="can't be reached"):
        api.get(PODS)


def test_what_was_created_by_a_question_whose_answer_was_lost(api: Api, server: Answering, script: Script) -> None:
    job = {"metadata": {"name": "mirrord-agent-a"}}
    script.answers = [iter((b"",)), status(409, reason="AlreadyExists"), thing(a=1)]

    assert api.create("/jobs", job) == {"a": 1}
    assert [each[:2] for each in asked(server)] == [
        ("POST", "/jobs"),
        ("POST", "/jobs"),
        ("GET", "/jobs/mirrord-agent-a"),
    ]


def test_what_was_there_before(api: Api, script: Script) -> None:
    script.answers = [status(409, reason="AlreadyExists"), status(429), status(409, reason="AlreadyExists")]
    for _ in range(2):
        with pytest.raises(Refused) as caught:
            api.create("/jobs", {"metadata": {"name": "a"}})
        assert caught.value.reason == "AlreadyExists"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(kind: str, version: int | None = None, **values: Any) -> bytes:
    found: dict[str, Any] = values if version is None else {"metadata": {"resourceVersion": str(version)}}
    return chunk(json.dumps({"type": kind, "object": found}).encode() + b"\n")


def versions(events: Iterator[tuple[str, dict[str, Any]]], count: int) -> list[tuple[str, str]]:
    taken = (next(events) for _ in range(count))
    return [(kind, found["metadata"]["resourceVersion"]) for kind, found in taken]


def test_a_watch(api: Api, server: Answering, script: Script) -> None:
    script.answers = [iter((HEAD, event("ADDED", 1), event("MODIFIED", 2), event("DELETED", 3), chunk(b"\n")))]
    events = api.watch(PODS, seconds=20, fieldSelector="metadata.name=x")

    assert versions(events, 3) == [("ADDED", "1"), ("MODIFIED", "2"), ("DELETED", "3")]
    assert asked(server) == [
        (
            "GET",
            PODS,
            {"watch": "true", "timeoutSeconds": "20", "resourceVersion": "0", "fieldSelector": "metadata.name=x"},
        )
    ]


def test_a_watch_goes_on_where_it_was(api: Api, server: Answering, script: Script) -> None:
    script.answers = [
        iter((HEAD, event("ADDED", 1), b"0\r\n\r\n")),  # its time was over
        iter((HEAD, event("MODIFIED", 2), event("MODIFIED", 9)[:20], b"")),  # cut
        status(500),
        iter((HEAD, event("MODIFIED", 3), event("ERROR", code=410), b"")),
        iter((HEAD, event("ADDED", 7))),
    ]
    events = api.watch(PODS, seconds=20)

    assert versions(events, 4) == [("ADDED", "1"), ("MODIFIED", "2"), ("MODIFIED", "3"), ("ADDED", "7")]
    assert [each.query["resourceVersion"] for each in server.asked] == ["0", "1", "2", "2", "0"]


def test_a_watch_is_over_in_time(api: Api, script: Script) -> None:
    over = threading.Event()

    def silent() -> Iterator[bytes]:
        yield HEAD + event("ADDED", 1)
        over.wait(10)
        yield b""

    script.answers = [silent()]

    assert [kind for kind, _ in api.watch(PODS, seconds=0.2)] == ["ADDED"]
    over.set()
    assert list(api.watch(PODS, seconds=0)) == []


def test_a_watch_that_ends_at_once_is_no_storm(api: Api, server: Answering, script: Script) -> None:
    script.answers = [iter((HEAD, b"0\r\n\r\n")) for _ in range(100)]

    assert list(api.watch(PODS, seconds=1)) == []
    assert len(server.asked) <= 1 / driver.SHORTEST


def test_a_watch_that_is_refused(api: Api, script: Script) -> None:
    script.answers = [status(403)]
    with pytest.raises(Refused):
        list(api.watch(PODS, seconds=5))

    script.answers = [status(503)] * 3
    with pytest.raises(Refused):
        list(api.watch(PODS, seconds=5))


def test_at_once(api: Api) -> None:
    met = threading.Barrier(3, timeout=10)

    def meet(number: int) -> int:
        met.wait()
        return number

    assert api.together(lambda: meet(1), lambda: meet(2), lambda: meet(3)) == [1, 2, 3]
    assert api.together() == []


def test_the_first_that_fails(api: Api) -> None:
    def fail(text: str) -> int:
        raise ValueError(text)

    with pytest.raises(ValueError, match="first"):
        api.together(lambda: 1, lambda: fail("first"), lambda: fail("second"))


def kubeconfig(path: Path, server: str) -> Path:
    path.write_text(json.dumps({
        "current-context": "here",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "namespace": "shop"}}],
    }))  # fmt: skip
    return path


def test_opened_by_a_kubeconfig(server: Answering, script: Script, tmp_path: Path) -> None:
    path = str(kubeconfig(tmp_path / "config", server.url))
    opened = [
        open_api(
            kubeconfig=path, context=None, accept_invalid_certificates=None, use_proxy=True, retry=QUICK, variables={}
        ),
        open_configured(Config(), {"KUBECONFIG": path}),
    ]
    for api in opened:
        script.answers = [thing(a=1)]

        assert api.namespace == "shop"
        assert api.get("/api") == {"a": 1}
        api.close()
