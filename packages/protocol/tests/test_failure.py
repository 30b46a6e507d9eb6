"""Errnos by name, whatever their numbers are here."""

from __future__ import annotations

import errno
import os

import pytest

from mirrord_protocol.failure import (
    ERRNO_NAMES,
    ConnectionLost,
    RemoteError,
    errno_name,
    errno_number,
    failure_of,
)
from mirrord_protocol.values import Failure, FailureKind


@pytest.mark.parametrize("name", [name for name in ERRNO_NAMES if name])
def test_each_errno_of_the_schema_has_a_number_here_and_back(name: str) -> None:
    assert errno_name(errno_number(name)) == name


@pytest.mark.parametrize(("number", "name"), [(errno.EOPNOTSUPP, "ENOTSUP"), (errno.EWOULDBLOCK, "EAGAIN")])
def test_twins_are_one(number: int, name: str) -> None:
    assert errno_name(number) == name


@pytest.mark.parametrize("name", [None, "ENOSUCHNAME"])
def test_a_strange_name_is_an_input_output_error(name: str | None) -> None:
    assert errno_number(name) == errno.EIO


def test_an_oserror_becomes_a_failure_without_its_path() -> None:
    with pytest.raises(FileNotFoundError) as caught:
        os.stat("/no/such/secret")

    assert failure_of(caught.value) == Failure(FailureKind.SYSTEM, "ENOENT", os.strerror(errno.ENOENT))


def test_an_errno_that_the_schema_lacks_keeps_its_name_in_the_text() -> None:
    failure = failure_of(OSError(errno.EUCLEAN, "x"))

    assert failure.errno == "EIO"
    assert "EUCLEAN" in failure.text


def test_an_oserror_without_a_number_is_an_input_output_error() -> None:
    assert failure_of(OSError("odd")).errno == "EIO"


def test_exceptions_carry_their_failure() -> None:
    failure = Failure(FailureKind.SYSTEM, "EACCES", "")

    assert str(RemoteError(failure)) == "EACCES"
    assert RemoteError(failure).errno == errno.EACCES
    assert str(ConnectionLost(Failure(FailureKind.GONE))) == "gone"
    assert RemoteError(Failure(FailureKind.LIMIT, None, "too much")).errno == errno.EIO
