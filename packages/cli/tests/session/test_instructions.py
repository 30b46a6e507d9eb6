"""What a session is told: it travels whole, and its secrets show nowhere."""

from __future__ import annotations

from mirrord_cli.session.access import Access
from mirrord_cli.session.framed import Reader, frame
from mirrord_cli.session.instructions import Began, Instruction, Leave, Meet, NotCreated, Runs

ACCESS = Access(
    server="https://10.0.0.1:6443",
    authorities=b"CA",
    certificate=b"C",
    key=b"a key",
    headers=(("Authorization", "Bearer abc"),),
)
BEGAN = Began(access=ACCESS, namespace="shop", job="mirrord-agent-1", port=30001, token=b"a token")
REST = [NotCreated(), Meet(pod="mirrord-agent-1-x"), Runs(patience=1.5), Leave()]


def test_it_travels() -> None:
    told = [BEGAN, *REST]
    assert Reader[Instruction](Instruction).feed(b"".join(map(frame, told))) == told


def test_secrets_show_nowhere() -> None:
    shown = f"{BEGAN!r} {BEGAN} {ACCESS!r}"

    assert "mirrord-agent-1" in shown
    assert not any(secret in shown for secret in ("a token", "a key", "abc"))
