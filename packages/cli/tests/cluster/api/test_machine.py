"""What the API server's refusals mean, when is asked again, and what a watch says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrord_cli.cluster.api.machine import (
    ANY,
    LONGEST,
    Events,
    Expired,
    Passing,
    Refused,
    Retry,
    nonsense,
    read_object,
    refused,
    unauthorized,
    unreachable,
    unusable,
)
from mirrord_cli.errors import MirrordError
from mirrord_cli.session.access import Access
from mirrord_cli.session.reaching.reasons import Kind, Trouble


def status(**values: Any) -> dict[str, Any]:
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure"} | values


def event(kind: str, version: str = "7", **values: Any) -> bytes:
    return json.dumps({"type": kind, "object": {"metadata": {"resourceVersion": version}} | values}).encode() + b"\n"


@pytest.mark.parametrize(
    ("attempt", "after", "seconds"),
    [
        (1, None, 0.5),
        (2, None, 1.0),
        (4, None, 4.0),
        (5, None, 5.0),
        (100, None, 5.0),
        (101, None, None),
        (1, "2", 2.0),
        (1, "0", 0.5),
        (1, "9" * 30, 5.0),
        (1, "Sun, 29 Nov 2026 00:00:00 GMT", 0.5),
        (1, "٣", 0.5),
    ],
)
def test_pauses(attempt: int, after: str | None, seconds: float | None) -> None:
    assert Retry(min_ms=500, max_ms=5000, max_retries=100).pause(attempt, after) == seconds


def test_no_retries() -> None:
    assert Retry(max_retries=0).pause(1) is None


def test_a_refusal() -> None:
    body = status(code=403, reason="Forbidden", message="pods is forbidden", details={"kind": "pods"})
    error = refused(403, json.dumps(body).encode(), "GET /api/v1/pods")

    assert (error.status, error.reason, error.message) == (403, "Forbidden", "pods is forbidden")
    assert (error.what, error.details) == ("GET /api/v1/pods", {"kind": "pods"})
    assert str(error) == "GET /api/v1/pods: pods is forbidden"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"\n service unavailable \nmore", "service unavailable"),
        (b"<html><body>Bad gateway</body></html>", "HTTP 502"),
        (b"", "HTTP 502"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"[1]", "[1]"),
        (json.dumps(status(reason="Timeout", details=[1])).encode(), "Timeout"),
        (json.dumps(status()).encode(), "HTTP 502"),
        (b"x" * 5000, "x" * 1000),
    ],
)
def test_refusals_in_other_words(body: bytes, message: str) -> None:
    error = refused(502, body, "GET /x")

    assert error.message == message
    assert error.details == {}


def test_words() -> None:
    access = Access(server="https://c.test")

    assert unauthorized("https://c.test", "user u of context c", "Unauthorized").text == (
        "The API server https://c.test doesn't accept the credentials of user u of context c: Unauthorized."
    )
    assert unreachable(Trouble(Kind.REFUSED), access).text.endswith("can't be reached: the connection was refused.")
    assert unusable("the key is encrypted", "user u").category == "configuration"
    assert "isn't a Kubernetes API server" in nonsense("GET /x").text


def test_objects() -> None:
    assert read_object(b'{"a": 1}', "GET /x") == {"a": 1}
    for answer in (b"", b"[1]", b"<html>", b"\xff"):
        with pytest.raises(MirrordError, match="asked to GET /x"):
            read_object(answer, "GET /x")


def test_a_watch_says_what_happens() -> None:
    events = Events("GET /x")
    assert events.version == ANY

    assert events.receive(event("ADDED", "7", a=1) + event("DELETED", "9")[:10]) == [
        ("ADDED", {"metadata": {"resourceVersion": "7"}, "a": 1})
    ]
    assert events.version == "7"
    assert events.receive(event("DELETED", "9")[10:]) == [("DELETED", {"metadata": {"resourceVersion": "9"}})]
    assert events.receive(b"\n" + event("BOOKMARK", "12")) == []
    assert events.version == "12"


def test_a_watch_goes_on_or_begins_anew() -> None:
    events = Events("GET /x")
    events.receive(event("ADDED") + b'{"half')
    events.begin_again(anew=False)

    assert events.version == "7"
    assert events.receive(event("MODIFIED", "8"))[0][0] == "MODIFIED"
    events.begin_again(anew=True)
    assert events.version == ANY


def error(**values: Any) -> bytes:
    return json.dumps({"type": "ERROR", "object": status(**values)}).encode() + b"\n"


def test_a_watch_ends_with_an_error() -> None:
    with pytest.raises(Expired):
        Events("GET /x").receive(error(code=410, reason="Expired", message="too old resource version"))
    with pytest.raises(Passing) as passing:
        Events("GET /x").receive(error(code=504, message="Timeout: Too large resource version"))
    assert isinstance(passing.value.reason, Refused)
    for given_ in (error(code=403, message="no"), error(message="no"), error(code="odd", message="no")):
        with pytest.raises((Refused, Passing), match="no"):
            Events("GET /x").receive(given_)


@pytest.mark.parametrize(
    "line",
    [
        b"text",
        b"[1]",
        b"{}",
        b'{"type": "ADDED"}',
        b'{"type": "ADDED", "object": {"metadata": {}}}',
        b'{"type": "ERROR", "object": 7}',
    ],
)
def test_what_no_watch_says(line: bytes) -> None:
    with pytest.raises(MirrordError, match="isn't a Kubernetes API server"):
        Events("GET /x").receive(line + b"\n")


def test_an_endless_event() -> None:
    events = Events("GET /x")
    with pytest.raises(MirrordError):
        for _ in range(LONGEST // (4 << 20) + 1):
            events.receive(b"x" * (4 << 20))


@given(st.lists(st.integers(1, 40), max_size=40))
def test_how_it_is_cut_means_nothing(cuts: list[int]) -> None:
    whole = b"".join(event("ADDED", str(number)) for number in range(5))
    events, found, position = Events("GET /x"), list[str](), 0
    for cut in [*cuts, len(whole)]:
        found += [thing["metadata"]["resourceVersion"] for _, thing in events.receive(whole[position : position + cut])]
        position += cut

    assert found == ["0", "1", "2", "3", "4"]
