"""How a server is reached: its secrets show nowhere."""

from __future__ import annotations

from mirrord_cli.session.access import Access


def test_secrets_show_nowhere() -> None:
    access = Access(
        server="https://a", key=b"a key", headers=(("Authorization", "Bearer abc"),), proxy="http://u:pw@p:1"
    )

    assert str(access) == repr(access) == "Access(server='https://a')"
