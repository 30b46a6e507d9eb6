"""The first word to an agent, and what its refusals are to a person."""

from __future__ import annotations

import pytest

from mirrord_cli.session.failed import SessionFailed
from mirrord_cli.session.hello import hello_for, refused
from mirrord_cli.session.settings import EnvironmentRules
from mirrord_protocol.values import Failure, FailureKind


def test_what_is_asked_for() -> None:
    hello = hello_for(EnvironmentRules(include=(b"A*",), exclude=(b"B",)), b"t" * 32)

    assert (hello.token, hello.environment, hello.include, hello.exclude) == (b"t" * 32, True, (b"A*",), (b"B",))
    assert not hello_for(EnvironmentRules(wanted=False), b"t" * 32).environment


def test_too_many_names() -> None:
    with pytest.raises(SessionFailed, match="too many: 100000 bytes") as caught:
        hello_for(EnvironmentRules(include=(b"A" * 100_000,)), b"t" * 32)

    assert caught.value.category == "configuration"


@pytest.mark.parametrize(
    ("kind", "category", "step"),
    [
        (FailureKind.GONE, "you", "running"),
        (FailureKind.UNSUPPORTED, "you", "newer kernel"),
        (FailureKind.LIMIT, "configuration", "feature.env.exclude"),
        (FailureKind.INTERNAL, "us", "The log"),
        (FailureKind.FORBIDDEN, "you", "another target"),
    ],
)
def test_a_refusal(kind: FailureKind, category: str, step: str) -> None:
    failed = refused(Failure(kind, None, "no rights over it"), "pod/shop")

    assert (failed.category, failed.text) == (category, "The agent can't serve pod/shop. No rights over it.")
    assert step in failed.next_step
