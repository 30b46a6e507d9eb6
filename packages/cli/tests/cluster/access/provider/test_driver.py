"""Tokens of an OpenID Connect issuer: those that count, those that are refreshed and kept, and those that aren't had."""

from __future__ import annotations

import base64
import json
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from answering import Answering, Asked, answer, answering
from certificates import Authority
from mirrord_cli.cluster.access.driver import load_access
from mirrord_cli.errors import MirrordError


def token(expires: float) -> str:
    parts = ({"alg": "none"}, {"exp": int(expires)}, "signature")
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)


GOOD, STALE, NEW = token(time.time() + 3600), token(time.time() - 10), token(time.time() + 7200)
AUTHORITY = Authority()


class Issuer:
    """Says where tokens are had, and gives them, or not."""

    def __init__(self) -> None:
        self.url = ""
        self.given = answer(200, json.dumps({"id_token": NEW, "refresh_token": "second", "access_token": "x"}).encode())

    def __call__(self, asked: Asked) -> bytes:
        if asked.path == "/.well-known/openid-configuration":
            return answer(
                200, json.dumps({"token_endpoint": f"{self.url}/token"}).encode(), Content_Type="application/json"
            )
        return self.given


@pytest.fixture
def issuer() -> Iterator[tuple[Issuer, Answering]]:
    found = Issuer()
    with answering(found, AUTHORITY.server()) as server:
        found.url = server.url
        yield found, server


def kubeconfig(path: Path, url: str, id_token: str, **config: str) -> Path:
    provider = {"idp-issuer-url": url, "client-id": "mirrord", "client-secret": "s", "id-token": id_token}
    provider |= {"refresh-token": "first"} | {name.replace("_", "-"): value for name, value in config.items()}
    tree = {
        "current-context": "here",
        "clusters": [{"name": "c", "cluster": {"server": "https://c.test"}}],
        "users": [{"name": "other", "user": {}}, {"name": "u", "user": {"auth-provider": {"name": "oidc", "config": provider}}}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
    }  # fmt: skip
    path.write_text(yaml.safe_dump(tree))
    path.chmod(0o640)
    return path


def authorization(path: Path) -> str:
    loaded = load_access(
        kubeconfig=str(path), context=None, accept_invalid_certificates=None, use_proxy=True, variables={}
    )
    return dict(loaded.access.headers)["Authorization"]


def data() -> str:
    return base64.b64encode(AUTHORITY.pem).decode()


def test_a_token_that_counts_asks_nobody(tmp_path: Path, issuer: tuple[Issuer, Answering]) -> None:
    path = kubeconfig(tmp_path / "config", issuer[1].url, GOOD)

    assert authorization(path) == f"Bearer {GOOD}"
    assert issuer[1].connections == 0


@pytest.mark.parametrize("by", ["data", "file"])
def test_a_stale_one_is_refreshed_and_kept(tmp_path: Path, issuer: tuple[Issuer, Answering], by: str) -> None:
    (tmp_path / "ca.crt").write_bytes(AUTHORITY.pem)
    named = {"data": {"idp_certificate_authority_data": data()}, "file": {"idp_certificate_authority": "ca.crt"}}[by]
    path = kubeconfig(tmp_path / "config", issuer[1].url, STALE, **named)
    link = tmp_path / "link"
    link.symlink_to(path)

    assert authorization(link) == f"Bearer {NEW}"

    kept: Any = yaml.safe_load(path.read_text())
    config = kept["users"][1]["user"]["auth-provider"]["config"]
    assert (config["id-token"], config["refresh-token"], config["client-secret"]) == (NEW, "second", "s")
    assert ("idp-certificate-authority" in config) == (by == "file")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert link.is_symlink()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["ca.crt", "config", "link"]
    asked = next(each for each in issuer[1].asked if each.path == "/token")
    assert b"grant_type=refresh_token" in asked.body and b"first" in asked.body


def test_an_issuer_that_nobody_vouches_for_gets_nothing(tmp_path: Path, issuer: tuple[Issuer, Answering]) -> None:
    path = kubeconfig(tmp_path / "config", issuer[1].url, STALE)

    with pytest.raises(MirrordError, match=r"gives no token that counts: .*certificate verify failed"):
        authorization(path)

    assert issuer[1].asked == []


@pytest.mark.parametrize(
    "given",
    [
        answer(400, b'{"error": "invalid_grant"}', Content_Type="application/json"),
        answer(200, b"<html>"),
        answer(200, b'{"access_token": "x"}'),
        b"",
    ],
)
def test_an_issuer_that_gives_none(tmp_path: Path, issuer: tuple[Issuer, Answering], given: bytes) -> None:
    issuer[0].given = given
    path = kubeconfig(tmp_path / "config", issuer[1].url, STALE, idp_certificate_authority_data=data())
    before = path.read_text()

    with pytest.raises(MirrordError, match="auth-provider oidc gives no token that counts") as caught:
        authorization(path)

    assert caught.value.category == "cluster"
    assert path.read_text() == before


def test_what_is_no_token(tmp_path: Path) -> None:
    with pytest.raises(MirrordError, match="what the kubeconfig has as id-token is none"):
        authorization(kubeconfig(tmp_path / "config", "https://idp.test", "text"))
