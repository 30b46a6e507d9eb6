"""What the kubernetes client gets to see of a provider, and what it has changed."""

from __future__ import annotations

import pytest

from mirrord_cli.cluster.access.kubeconfig import Provider
from mirrord_cli.cluster.access.provider.machine import configuration_for, failed, refreshed
from mirrord_cli.errors import MirrordError

OIDC = Provider(
    "oidc",
    {
        "idp-issuer-url": "https://idp.test",
        "client-id": "mirrord",
        "id-token": "old",
        "refresh-token": "r",
        "idp-certificate-authority-data": "data",
    },
)


def test_the_client_sees_nothing_but_the_provider() -> None:
    configuration = configuration_for(OIDC, "/authority")

    assert configuration["users"][0]["user"] == {"auth-provider": {"name": "oidc", "config": {
        "idp-issuer-url": "https://idp.test",
        "client-id": "mirrord",
        "client-secret": "",
        "id-token": "old",
        "refresh-token": "r",
        "idp-certificate-authority": "/authority",
    }}}  # fmt: skip
    assert configuration["clusters"][0]["cluster"] == {"server": "http://localhost"}


def test_what_was_refreshed() -> None:
    configuration = configuration_for(OIDC, "/authority")
    assert refreshed(OIDC, configuration) == {}

    configuration["users"][0]["user"]["auth-provider"]["config"] |= {"id-token": "new", "refresh-token": "s"}

    assert refreshed(OIDC, configuration) == {"id-token": "new", "refresh-token": "s"}


@pytest.mark.parametrize("name", ["idp-issuer-url", "client-id", "id-token"])
def test_something_is_missing(name: str) -> None:
    with pytest.raises(MirrordError, match=f"oidc has no {name}"):
        configuration_for(Provider("oidc", OIDC.config | {name: ""}), "/authority")


def test_the_words_for_a_failure() -> None:
    assert failed("it is silent").text.endswith("gives no token that counts: it is silent.")
