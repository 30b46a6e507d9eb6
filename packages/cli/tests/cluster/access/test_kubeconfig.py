"""What kubeconfigs say, alone and together, as kubectl reads them; and what is told of mistakes."""

from __future__ import annotations

from typing import Any

import pytest

from mirrord_cli.cluster.access.kubeconfig import Chosen, choose, parse_document
from mirrord_cli.errors import MirrordError

ONE: dict[str, Any] = {
    "current-context": "here",
    "clusters": [{"name": "c", "cluster": {"server": "https://c:6443"}}],
    "users": [{"name": "u", "user": {"token": "t"}}],
    "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
}


def chosen(*trees: Any, context: str | None = None) -> Chosen:
    return choose([(f"/k{n}/config", parse_document(tree, f"/k{n}/config")) for n, tree in enumerate(trees)], context)


def contexts(*names: str) -> dict[str, Any]:
    return ONE | {"contexts": [{"name": name, "context": {"cluster": "c", "user": "u"}} for name in names]}


def test_the_current_context() -> None:
    found = chosen(ONE)

    assert (found.context, found.namespace, found.user_name, found.user_file) == ("here", "shop", "u", "/k0/config")
    assert (found.cluster.server, found.user.token) == ("https://c:6443", "t")


def test_a_named_context() -> None:
    assert chosen(contexts("here", "there"), context="there").context == "there"


def test_of_several_files_the_first_counts_for_each_thing() -> None:
    first = {
        "clusters": ONE["clusters"],
        "current-context": "",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "other"}}],
    }
    second = ONE | {
        "clusters": [{"name": "c", "cluster": {"server": "https://other.test"}}],
        "users": [{"name": "other", "user": {"client-key": "keys/k", "tokenFile": "t", "exec": plugin("bin/p")}}],
    }
    third = {"current-context": "elsewhere"}

    found = chosen(first, second, third)

    assert found.cluster.server == "https://c:6443"
    assert found.user_file == "/k1/config"
    assert (found.user.client_key, found.user.token_file) == ("/k1/keys/k", "/k1/t")
    assert found.user.plugin is not None
    assert found.user.plugin.command == "/k1/bin/p"


def plugin(command: str) -> dict[str, Any]:
    return {"apiVersion": "client.authentication.k8s.io/v1", "command": command}


def test_paths_belong_to_the_folder_of_their_file_unless_they_are_absolute() -> None:
    tree = ONE | {
        "clusters": [{"name": "c", "cluster": {"server": "https://c", "certificate-authority": "ca.crt"}}],
        "users": [{"name": "u", "user": {
            "client-certificate": "/etc/u.crt",
            "exec": plugin("aws"),
            "auth-provider": {"name": "oidc", "config": {"idp-certificate-authority": "idp.crt"}},
        }}],
    }  # fmt: skip

    found = chosen(tree)

    assert found.cluster.certificate_authority == "/k0/ca.crt"
    assert found.user.client_certificate == "/etc/u.crt"
    assert found.user.plugin is not None and found.user.plugin.command == "aws"  # looked for in PATH
    assert found.user.auth_provider is not None
    assert found.user.auth_provider.config == {"idp-certificate-authority": "/k0/idp.crt"}


def test_nulls_are_as_if_they_were_not_there() -> None:
    tree = ONE | {"users": [{"name": "u", "user": {"token": None, "exec": {**plugin("p"), "args": None, "env": None}}}]}

    found = chosen(tree)

    assert found.user.token == ""
    assert found.user.plugin is not None and found.user.plugin.args == []
    assert parse_document(None, "/k").contexts == []


def test_a_context_may_be_of_nobody() -> None:
    tree = ONE | {"contexts": [{"name": "here", "context": {"cluster": "c"}}]}

    assert chosen(tree).user_name == ""


@pytest.mark.parametrize(
    ("tree", "context", "text", "step"),
    [
        (contexts("a", "b") | {"current-context": ""}, None, "no current context", "a, b"),
        (contexts("a"), None, "current context is 'here', which", "there are: a"),
        (
            contexts("zeta", "prod-eu", "prod-us"),
            "prod-eu-1",
            "no context 'prod-eu-1'",
            "there are: prod-eu, prod-us, zeta",
        ),
        (contexts(*map(str, range(20))), "x", "no context 'x'", "11 and 8 more"),
        ({"current-context": "x"}, None, "which it doesn't have", "no contexts at all"),
        (ONE | {"clusters": []}, None, "the cluster 'c', which", "set-context here --cluster=…"),
        (ONE | {"users": []}, None, "the user 'u', which", "set-context here --user=…"),
        (ONE | {"contexts": [{"name": "here"}]}, None, "the cluster ''", "set-context"),
    ],
)
def test_what_is_not_there(tree: Any, context: str | None, text: str, step: str) -> None:
    with pytest.raises(MirrordError) as caught:
        chosen(tree, context=context)

    assert caught.value.category == "configuration"
    assert text in caught.value.text
    assert step in caught.value.next_step


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        (["a"], "Expected `object`, got `array`"),
        ("text", "Expected `object`, got `str`"),
        ({"clusters": {}}, "$.clusters"),
        (
            {"users": [{"name": "u", "user": {"token": 12345}}]},
            "Expected `str`, got `int` - at `$.users[0].user.token`",
        ),
        ({"users": [{"user": {}}]}, "missing required field `name`"),
        ({"users": [{"name": "u", "user": {"exec": {"command": "x"}}}]}, "`apiVersion`"),
    ],
)
def test_what_is_no_kubeconfig(tree: Any, text: str) -> None:
    with pytest.raises(MirrordError, match="The kubeconfig /k isn't one") as caught:
        parse_document(tree, "/k")

    assert text in caught.value.text
    assert "12345" not in caught.value.text  # a secret, perhaps
