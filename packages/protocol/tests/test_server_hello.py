"""Who is let in by the server: token, version, and what else may refuse a session; all else is in test_server.py."""

from __future__ import annotations

import errno

import pytest
import trio

from mirrord_protocol.client import RemoteError, open_client
from mirrord_protocol.server import Admit, check_token, check_version, serve
from mirrord_protocol.values import Failure, FailureKind, Hello, Welcome
from protocol_samples import TARGET, TOKEN
from protocol_service import DIGEST, HELLO, Service, socket_streams


async def refused(hello: Hello, service: Service | None = None, admit: Admit = lambda: None) -> Failure:
    with pytest.raises(RemoteError) as caught:
        await _open(hello, service or Service(), admit)
    return caught.value.failure


async def _open(hello: Hello, service: Service, admit: Admit) -> None:
    mine, theirs = socket_streams()
    async with trio.open_nursery() as nursery:

        async def agent() -> None:
            await serve(theirs, token_digest=DIGEST, service=service, admit=admit)

        nursery.start_soon(agent)
        error: RemoteError | None = None
        try:
            async with open_client(mine, hello):
                pass
        except RemoteError as refusal:
            error = refusal
    if error:
        raise error


def test_a_wrong_token() -> None:
    service = Service()
    failure = trio.run(refused, Hello(b"guess"), service)

    assert failure.kind == FailureKind.FORBIDDEN
    assert "token" in failure.text
    assert service.greeted is None


@pytest.mark.parametrize(("major", "side"), [(2, "upgrade the agent"), (0, "upgrade mirrord on this machine")])
def test_another_major_version_tells_which_side_to_upgrade(major: int, side: str) -> None:
    failure = trio.run(refused, Hello(TOKEN, major=major, minor=4))

    assert failure.kind == FailureKind.UNSUPPORTED
    assert side in failure.text
    assert f"{major}.4" in failure.text


def test_the_token_comes_before_the_version() -> None:
    assert trio.run(refused, Hello(b"guess", major=9)).kind == FailureKind.FORBIDDEN
    assert check_token(HELLO, DIGEST) is None
    assert check_version(HELLO) is None


def test_who_has_the_token_may_be_refused_all_the_same() -> None:
    """Only then is anybody asked, and before the version is looked at."""
    service, asked = Service(), list[Failure]()
    busy = Failure(FailureKind.SYSTEM, "EBUSY", "not now")

    def admit() -> Failure:
        asked.append(busy)
        return busy

    assert trio.run(refused, Hello(b"guess"), service, admit).kind == FailureKind.FORBIDDEN
    assert asked == []
    assert trio.run(refused, Hello(TOKEN, major=9), service, admit) == busy
    assert asked == [busy]
    assert service.greeted is None


class Unable(Service):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    async def welcome(self, hello: Hello) -> Welcome:
        raise self.error


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (OSError(errno.EACCES, "x"), Failure(FailureKind.SYSTEM, "EACCES", "Permission denied")),
        (RemoteError(Failure(FailureKind.GONE, None, "the target is gone")), Failure(FailureKind.GONE, None, "the target is gone")),
    ],
)  # fmt: skip
def test_a_service_that_cannot_begin(error: Exception, failure: Failure) -> None:
    assert trio.run(refused, HELLO, Unable(error)) == failure


def test_an_environment_too_large_for_a_message_is_refused_with_advice() -> None:
    service = Service()
    service._welcome = Welcome(target=TARGET, environment=((b"X", bytes(2 << 20)),))
    failure = trio.run(refused, HELLO, service)

    assert failure.kind == FailureKind.LIMIT
    assert "leave variables out" in failure.text
