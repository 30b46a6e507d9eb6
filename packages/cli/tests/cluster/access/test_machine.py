"""From what a kubeconfig means to how the server is reached, and as whom."""

from __future__ import annotations

from typing import Any

import pytest

from mirrord_cli.cluster.access.kubeconfig import Chosen, Cluster, Plugin, Provider, User
from mirrord_cli.cluster.access.machine import (
    Credentials,
    access_to,
    bearer,
    decode,
    server_of,
    source_of,
    static_authorization,
)
from mirrord_cli.errors import MirrordError
from mirrord_cli.session.access import Access

PLUGIN = Plugin(command="p", api_version="client.authentication.k8s.io/v1")
OIDC = Provider("oidc")


def chosen(user: User | None = None, **cluster: Any) -> Chosen:
    return Chosen("here", "", Cluster(**({"server": "https://c:6443"} | cluster)), "u", user or User())


def access(found: Chosen, *, accept_invalid: bool | None = None, proxy: str = "") -> Access:
    return access_to(found, b"CA", Credentials("Bearer t", b"C", b"K"), accept_invalid=accept_invalid, proxy=proxy)


def test_all_of_it() -> None:
    found = access(chosen(tls_server_name="kubernetes"), proxy="http://p:1")

    assert found == Access(
        server="https://c:6443",
        authorities=b"CA",
        server_name="kubernetes",
        certificate=b"C",
        key=b"K",
        headers=(("Authorization", "Bearer t"),),
        proxy="http://p:1",
    )


@pytest.mark.parametrize(
    ("insecure", "accept", "verify"),
    [(False, None, True), (True, None, False), (False, True, False), (True, False, True)],
)
def test_whether_the_certificate_is_checked(insecure: bool, accept: bool | None, verify: bool) -> None:
    assert access(chosen(insecure_skip_tls_verify=insecure), accept_invalid=accept).verify is verify


@pytest.mark.parametrize(
    ("user", "source"),
    [
        (User(), None),
        (User(plugin=PLUGIN), PLUGIN),
        (User(auth_provider=OIDC), OIDC),
        (User(plugin=PLUGIN, auth_provider=OIDC), PLUGIN),
        # What stands in the kubeconfig needs nobody to be asked.
        (User(plugin=PLUGIN, token="t"), None),
        (User(plugin=PLUGIN, token_file="/t"), None),
        (User(auth_provider=OIDC, username="u"), None),
        (User(plugin=PLUGIN, client_certificate="/c"), PLUGIN),
    ],
)
def test_what_is_asked_for_credentials(user: User, source: object) -> None:
    assert source_of(user) is source


@pytest.mark.parametrize(
    ("name", "step"), [("gcp", "gke-gcloud-auth-plugin"), ("azure", "kubelogin"), ("other", "exec plug-in")]
)
def test_ways_that_are_no_more(name: str, step: str) -> None:
    with pytest.raises(MirrordError, match="kubectl doesn't have any more") as caught:
        source_of(User(auth_provider=Provider(name)))

    assert step in caught.value.next_step


@pytest.mark.parametrize(
    ("user", "of_file", "header"),
    [
        (User(), "", ""),
        (User(token="t"), "", "Bearer t"),
        (User(token="t", token_file="/f"), "newer", "Bearer newer"),
        (User(token="t", username="u"), "", "Bearer t"),
        (User(username="u", password="pä:ss"), "", "Basic dTpww6Q6c3M="),
        (User(username="u"), "", "Basic dTo="),
        (User(password="alone"), "", ""),
    ],
)
def test_what_stands_in_the_kubeconfig(user: User, of_file: str, header: str) -> None:
    assert static_authorization(user, of_file) == header


@pytest.mark.parametrize("token", ["a\nX-Evil: 1", "a\0", "tökén"])
def test_what_no_token_is(token: str) -> None:
    with pytest.raises(MirrordError) as caught:
        bearer(token)

    assert token not in caught.value.text


def test_acting_as_another() -> None:
    user = User(
        act_as="jürgen",
        act_as_uid="7",
        act_as_groups=["a", "b"],
        act_as_user_extra={"Example.org/Scopes": ["x", "y"], "%": ["z"]},
    )

    assert access(chosen(user)).headers == (
        ("Authorization", "Bearer t"),
        ("Impersonate-User", "j\u00c3\u00bcrgen"),  # UTF-8, a character for each byte
        ("Impersonate-Uid", "7"),
        ("Impersonate-Group", "a"),
        ("Impersonate-Group", "b"),
        ("Impersonate-Extra-example.org%2fscopes", "x"),
        ("Impersonate-Extra-example.org%2fscopes", "y"),
        ("Impersonate-Extra-%25", "z"),
    )


def test_acting_as_nobody_that_could_be() -> None:
    with pytest.raises(MirrordError, match="acts as"):
        access(chosen(User(act_as="a\r\nX: y")))


@pytest.mark.parametrize(
    ("cluster", "user", "server"),
    [
        ({"server": "https://c:6443/"}, User(), "https://c:6443"),
        ({"server": "https://h/k8s/clusters/c-1/"}, User(), "https://h/k8s/clusters/c-1"),
        ({"server": "https://[::1]:6443"}, User(), "https://[::1]:6443"),
        ({"server": "HTTP://c"}, User(), "HTTP://c"),
        ({"server": "c:8080"}, User(), "http://c:8080"),
        ({"server": "c:6443", "certificate_authority_data": "x"}, User(), "https://c:6443"),
        ({"server": "c:6443"}, User(client_certificate="/c"), "https://c:6443"),
    ],
)
def test_where_the_server_is(cluster: dict[str, Any], user: User, server: str) -> None:
    assert server_of(chosen(user, **cluster)) == server


@pytest.mark.parametrize(
    "server", ["", "ftp://c", "https://", "https://c:port", "https://c:99999", "https://[::1", "https://c:0"]
)
def test_where_no_server_is(server: str) -> None:
    with pytest.raises(MirrordError, match="'here' has no address") as caught:
        server_of(chosen(server=server))

    assert caught.value.category == "configuration"


def test_base64() -> None:
    assert decode("YW\nI=\n", "key") == b"ab"
    for bad in ("???", "YWI", "é"):
        with pytest.raises(MirrordError, match="kubeconfig's key is no base64"):
            decode(bad, "key")


def test_credentials_show_nothing() -> None:
    assert "t" not in repr(Credentials("Bearer t", b"C", b"K")).removeprefix("Credentials")
