"""What the user gets where the target lacks something."""

from __future__ import annotations

import pytest

from mirrord_cli.session.failed import SessionFailed
from mirrord_cli.session.network.lacking import settle
from mirrord_cli.session.settings import IncomingMode, IncomingRules, NetworkRules
from mirrord_protocol.values import ALL_CAPABILITIES, Capability, Failure, FailureKind, Lacking, Target, Welcome

TARGET = Target(1, 0, 0, b"shop", b"pod", b"/")
NO_RIGHTS = Failure(FailureKind.FORBIDDEN, None, "the agent lacks CAP_NET_ADMIN")
OLD_KERNEL = Failure(FailureKind.UNSUPPORTED, None, "the kernel has no nftables")
REQUIRED = NetworkRules(incoming=IncomingRules(mode=IncomingMode.STEAL, required=True))


def welcome(*lacking: Lacking, capabilities: int = ALL_CAPABILITIES) -> Welcome:
    return Welcome(target=TARGET, lacking=lacking, capabilities=capabilities)


def test_nothing_lacks() -> None:
    assert settle(REQUIRED, welcome()) == (REQUIRED, ())


@pytest.mark.parametrize(
    ("reason", "category", "word"),
    [(NO_RIGHTS, "you", "CAP_NET_ADMIN"), (OLD_KERNEL, "you", "kernel"),
     (Failure(FailureKind.INTERNAL, None, "it fell over"), "us", "log")],
)  # fmt: skip
def test_what_the_user_asked_for(reason: Failure, category: str, word: str) -> None:
    with pytest.raises(SessionFailed) as caught:
        settle(REQUIRED, welcome(Lacking(Capability.INCOMING, reason)))

    assert caught.value.category == category
    assert reason.text in caught.value.text
    assert word in caught.value.next_step and "incoming.mode" in caught.value.next_step


def test_what_nobody_asked_for() -> None:
    lacking = [Lacking(each, NO_RIGHTS) for each in (Capability.INCOMING, Capability.OUTGOING, Capability.NAMES)]
    rules, warnings = settle(NetworkRules(unix_streams=("x",)), welcome(*lacking))

    assert (rules.incoming.mode, rules.tcp, rules.udp, rules.unix_streams, rules.names) == (
        IncomingMode.OFF, False, False, (), False,
    )  # fmt: skip
    assert [line.partition(":")[0] for line in warnings] == [
        "Connections that come to the target stay there",
        "Connections of the program leave from this machine",
        "Names are resolved on this machine",
    ]


def test_what_is_off_cannot_lack() -> None:
    off = NetworkRules(names=False, tcp=False, udp=False, incoming=IncomingRules(mode=IncomingMode.OFF))

    assert settle(off, welcome(capabilities=0)) == (off, ())


def test_an_old_agent() -> None:
    with pytest.raises(SessionFailed, match="too old"):
        settle(REQUIRED, welcome(capabilities=Capability.FILES))
