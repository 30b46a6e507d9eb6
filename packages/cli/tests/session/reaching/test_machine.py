"""Where API servers are, and what their refusals are to a person."""

from __future__ import annotations

import json

import pytest

from mirrord_cli.session.access import Access
from mirrord_cli.session.reaching.machine import ForwardFailed, Place, message_of, place_of, refused, unreachable
from mirrord_cli.session.reaching.reasons import Kind, Trouble


@pytest.mark.parametrize(
    ("server", "place", "authority"),
    [
        ("https://c.test", Place("c.test", 443, "", secure=True), "c.test"),
        ("http://c.test", Place("c.test", 80, "", secure=False), "c.test"),
        ("https://c.test:80/", Place("c.test", 80, "", secure=True), "c.test:80"),
        ("https://c.test:6443/k8s/c-1", Place("c.test", 6443, "/k8s/c-1", secure=True), "c.test:6443"),
        ("https://[fd00::1]:6443", Place("fd00::1", 6443, "", secure=True), "[fd00::1]:6443"),
        ("HTTPS://C.test", Place("c.test", 443, "", secure=True), "c.test"),
    ],
)
def test_places(server: str, place: Place, authority: str) -> None:
    assert place_of(server) == place
    assert place.authority == authority


@pytest.mark.parametrize(
    "server", ["", "c.test:6443", "ftp://c.test", "https://", "https://c.test:port", "https://[::1"]
)
def test_no_places(server: str) -> None:
    with pytest.raises(ForwardFailed) as caught:
        place_of(server)

    assert caught.value.category == "configuration"


def status(message: str) -> bytes:
    return json.dumps({"kind": "Status", "message": message}).encode()


@pytest.mark.parametrize(
    ("code", "text", "step", "passing"),
    [
        (401, "The cluster doesn't let you connect to pod x: so.", "Log in", False),
        (403, "The cluster doesn't let you connect to pod x: so.", "right to get and create pods/portforward", False),
        (404, "You can't connect to pod x: so.", "It is gone", False),
        (400, "You can't connect to pod x: so.", "kubectl", False),
        (503, "You can't connect to pod x: so.", "kubectl", True),
    ],
)
def test_refusals(code: int, text: str, step: str, passing: bool) -> None:
    error = refused(code, status("so."), "connect to pod x", "get and create pods/portforward")

    assert (error.category, error.text, error.passing) == ("cluster", text, passing)
    assert step in error.next_step


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (status("one.\ntwo"), "one"),
        (b"plain text\nmore", "plain text"),
        (b"", ""),
        (b"[]", ""),
        (b'{"message": 7}', ""),
        (b"\xff" * 1000, "\ufffd" * 400),
    ],
)
def test_what_a_server_says(body: bytes, said: str) -> None:
    assert message_of(body) == said


def test_what_passes() -> None:
    access = Access(server="https://c.test")

    assert unreachable(Trouble(Kind.REFUSED), access).passing
    assert not unreachable(Trouble(Kind.EXPIRED), access).passing
    assert str(unreachable(Trouble(Kind.REFUSED), access)).startswith("The API server https://c.test can't")
