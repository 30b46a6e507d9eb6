"""The command line: values, mistakes, help."""

from __future__ import annotations

import pytest

from mirrord_agent import __version__
from mirrord_agent.options import ContainerTarget, Options, OwnTarget, ProcessTarget, parse

DIGEST = "ab" * 32
CONTAINER = "0f" * 32
POD = ["--target-container", CONTAINER, "--listen", "30001", "--token-digest", DIGEST]
GOOD = ["--target-pid", "7", "--target-start", "123", "--connected-fd", "5", "--token-digest", DIGEST]


def test_values() -> None:
    digest = bytes.fromhex(DIGEST)
    assert parse(GOOD) == Options(ProcessTarget(7, 123), digest, connected_fd=5)
    assert parse([*GOOD, "--log-level", "debug"]).log_level == "debug"
    assert parse([*GOOD[:2], *GOOD[4:]]).target == ProcessTarget(7, None)


def test_values_in_a_pod() -> None:
    options = parse([*POD, "--owner", "alice on laptop", "--communication-timeout", "9", "--termination-log", "/dev/t"])

    assert options == Options(
        ContainerTarget(CONTAINER), bytes.fromhex(DIGEST), port=30001, owner="alice on laptop",
        communication_timeout=9, termination_log="/dev/t",
    )  # fmt: skip
    assert parse([*POD[2:], "--target-self"]).target == OwnTarget()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("--target-pid", "0"),
        ("--target-pid", "-1"),
        ("--target-pid", "x"),
        ("--target-pid", "99999999999"),
        ("--target-start", "1.5"),
        ("--target-start", "٣"),
        ("--connected-fd", "-2"),
        ("--connected-fd", "9" * 30),
        ("--token-digest", "ab"),
        ("--token-digest", "zz" * 32),
        ("--log-level", "loud"),
    ],
)
def test_mistakes(name: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = list(GOOD)
    if name in arguments:
        del arguments[arguments.index(name) : arguments.index(name) + 2]
    with pytest.raises(SystemExit) as caught:
        parse([*arguments, f"{name}={value}"])

    assert caught.value.code == 2
    assert name in capsys.readouterr().err


def test_a_token_given_instead_of_its_digest_is_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse([*GOOD[:-1], "secret-token"])

    assert "secret-token" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--listen=0"], ["--listen=65536"], ["--listen=x"], ["--connected-fd=1"],
        ["--target-container=abc"], [f"--target-container={'0F' * 32}"], ["--target-self"], ["--target-pid=1"],
        ["--target-start=1"], ["--communication-timeout=0"], ["--communication-timeout=1.5"],
    ],
)  # fmt: skip
def test_mistakes_in_a_pod(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse([*POD, *arguments])

    assert caught.value.code == 2
    assert "--" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        (GOOD[2:], "--target-pid"),
        (GOOD[:4] + GOOD[6:], "--connected-fd"),
        (GOOD[:6], "--token-digest"),
        (POD[2:], "--target-container"),
        (POD[:2] + POD[4:], "--listen"),
        (POD[:4], "--token-digest"),
    ],
)
def test_what_is_needed(arguments: list[str], missing: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(arguments)

    assert caught.value.code == 2
    assert missing in capsys.readouterr().err


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    for option, word in (("--help", "target's root"), ("--version", f"mirrord-agent {__version__}")):
        with pytest.raises(SystemExit) as caught:
            parse([option])
        assert caught.value.code == 0
        assert word in capsys.readouterr().out
