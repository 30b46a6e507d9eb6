"""A Job is removed by one request; what may come of that."""

from __future__ import annotations

import json

import pytest
import trio

from answering import Asked, answer, answering
from certificates import Authority
from mirrord_cli.session.access import Access
from mirrord_cli.session.reaching.machine import ForwardFailed
from mirrord_cli.session.removing.driver import MOST, remove_job

AUTHORITY = Authority()


def remove(given: bytes, **values: object) -> tuple[bool, Asked]:
    with answering(lambda _: given, AUTHORITY.server()) as server:
        access = Access(**({"server": server.url + "/p", "authorities": AUTHORITY.pem} | values))  # type: ignore[arg-type]
        return trio.run(remove_job, access, "shop", "mirrord-agent-a"), server.asked[0]


def status(code: int, message: str) -> bytes:
    return answer(code, json.dumps({"kind": "Status", "message": message}).encode())


def test_removed() -> None:
    removed, asked = remove(
        answer(200, b"{}"), headers=(("Authorization", "Bearer t"), ("Impersonate-User", "\xc3\xbc"))
    )

    assert removed
    assert (asked.method, asked.path, asked.query) == (
        "DELETE",
        "/p/apis/batch/v1/namespaces/shop/jobs/mirrord-agent-a",
        {"propagationPolicy": "Background"},
    )
    assert asked.header("authorization") == ["Bearer t"]
    assert asked.header("impersonate-user") == ["\xc3\xbc"]


def test_none_there() -> None:
    assert remove(status(404, "not found"))[0] is False


def test_an_answer_of_any_length() -> None:
    assert remove(answer(200, b"x" * (MOST + 100)))[0]
    assert remove(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")[0]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (status(403, "jobs is forbidden"), "doesn't let you delete job mirrord-agent-a: jobs is forbidden"),
        (status(500, "etcd"), "You can't delete job mirrord-agent-a: etcd"),
        (b"SSH-2.0\r\n\r\n", "its answer is no HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", "can't be reached"),
        (b"", "can't be reached"),
    ],
)
def test_failures(given: bytes, text: str) -> None:
    with answering(lambda _: iter((given, b"")), AUTHORITY.server()) as server:
        access = Access(server=server.url, authorities=AUTHORITY.pem)
        with pytest.raises(ForwardFailed) as caught:
            trio.run(remove_job, access, "shop", "mirrord-agent-a")

    assert text in caught.value.text
