"""Every way in which a server can't be reached has words, and a next step."""

from __future__ import annotations

import pytest

from mirrord_cli.session.access import Access
from mirrord_cli.session.reaching.reasons import CUT, LASTING, Kind, Trouble, explain, phrase, without_password

ACCESS = Access(server="https://c.test:6443")
BY_PROXY = Access(server="https://c.test:6443", proxy="http://u:secret@p:3128")


@pytest.mark.parametrize("kind", Kind)
def test_each_has_words(kind: Kind) -> None:
    text, step = explain(Trouble(kind, "so it is"), ACCESS if kind is not Kind.PROXY else BY_PROXY)

    assert "https://c.test:6443" in text
    assert text.endswith(".") and step.endswith(".")
    assert phrase(Trouble(kind, "so it is")) in text


@pytest.mark.parametrize(
    ("trouble", "text"),
    [
        (Trouble(Kind.REFUSED), "The API server https://c.test:6443 can't be reached: the connection was refused."),
        (CUT, "The API server https://c.test:6443 can't be reached: the connection was closed in the middle."),
        (
            Trouble(Kind.UNTRUSTED, "self-signed certificate"),
            "The API server https://c.test:6443 can't be trusted: nobody who is trusted vouches for its certificate (self-signed certificate).",
        ),
        (Trouble(Kind.EXPIRED), "The API server https://c.test:6443 can't be trusted: its certificate has expired."),
        (
            Trouble(Kind.OWN_CERTIFICATE, "certificate expired"),
            "The API server https://c.test:6443 doesn't take the user's certificate: certificate expired.",
        ),
    ],
)
def test_words(trouble: Trouble, text: str) -> None:
    assert explain(trouble, ACCESS)[0] == text


def test_what_is_behind_a_proxy() -> None:
    assert explain(Trouble(Kind.PROXY, "it answers 407"), BY_PROXY)[0] == (
        "The proxy http://p:3128 doesn't lead to the API server https://c.test:6443: it answers 407."
    )
    assert "by the proxy http://p:3128, can't be reached" in explain(Trouble(Kind.SILENT), BY_PROXY)[0]


def test_what_lasts() -> None:
    assert Kind.UNTRUSTED in LASTING
    assert Kind.REFUSED not in LASTING


def test_no_password() -> None:
    assert without_password("socks5://u:p@w@h:1") == "socks5://h:1"
    assert without_password("http://h") == "http://h"
