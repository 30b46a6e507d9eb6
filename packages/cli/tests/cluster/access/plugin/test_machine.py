"""What a credential plug-in is told, and what its answers mean."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from mirrord_cli.cluster.access.kubeconfig import Cluster, Plugin, Variable
from mirrord_cli.cluster.access.machine import Credentials
from mirrord_cli.cluster.access.plugin.machine import (
    environment_for,
    failed,
    may_ask,
    missing,
    not_runnable,
    read_answer,
)
from mirrord_cli.errors import MirrordError

V1 = "client.authentication.k8s.io/v1"
CLUSTER = Cluster(
    server="https://c:6443",
    tls_server_name="k",
    proxy_url="http://p:1",
    extensions=[{"name": "other"}, "x", {"name": "client.authentication.k8s.io/exec", "extension": {"region": "here"}}],
)


def plugin(**values: Any) -> Plugin:
    return Plugin(**({"command": "/bin/p", "api_version": V1} | values))


def answer(status: Any = None, **values: Any) -> bytes:
    return json.dumps({"apiVersion": V1, "kind": "ExecCredential", "status": status} | values).encode()


@pytest.mark.parametrize(
    ("mode", "terminal", "asks"),
    [
        ("", True, True),
        ("", False, False),
        ("IfAvailable", True, True),
        ("IfAvailable", False, False),
        ("Never", True, False),
        ("Always", True, True),
    ],
)
def test_who_may_ask(mode: str, terminal: bool, asks: bool) -> None:
    assert may_ask(plugin(interactive_mode=mode), terminal=terminal) is asks


def test_one_that_has_to_ask_needs_a_terminal() -> None:
    with pytest.raises(MirrordError, match="no terminal"):
        may_ask(plugin(interactive_mode="Always"), terminal=False)


def test_its_environment() -> None:
    asked = plugin(env=[Variable("PROFILE", "shop"), Variable("EMPTY"), Variable("HOME", "/other")])

    environment = environment_for(asked, CLUSTER, b"CA", {"PATH": "/bin", "HOME": "/me"}, interactive=True)

    told = json.loads(environment.pop("KUBERNETES_EXEC_INFO"))
    assert environment == {"PATH": "/bin", "HOME": "/other", "PROFILE": "shop", "EMPTY": ""}
    assert told == {"apiVersion": V1, "kind": "ExecCredential", "spec": {"interactive": True}}


def test_it_is_told_of_the_cluster_if_it_wants_that() -> None:
    asked = plugin(provide_cluster_info=True)

    environment = environment_for(asked, CLUSTER, b"CA", {}, interactive=False)

    assert json.loads(environment["KUBERNETES_EXEC_INFO"])["spec"] == {
        "interactive": False,
        "cluster": {
            "server": "https://c:6443",
            "tls-server-name": "k",
            "certificate-authority-data": base64.b64encode(b"CA").decode(),
            "proxy-url": "http://p:1",
            "config": {"region": "here"},
        },
    }


@pytest.mark.parametrize(
    ("status", "credentials"),
    [
        ({"token": "t", "expirationTimestamp": "2030-01-01T00:00:00Z"}, Credentials("Bearer t")),
        ({"clientCertificateData": "C", "clientKeyData": "K"}, Credentials("", b"C", b"K")),
        ({"token": "t", "clientCertificateData": "C", "clientKeyData": "K"}, Credentials("Bearer t", b"C", b"K")),
    ],
)
def test_credentials(status: Any, credentials: Credentials) -> None:
    assert read_answer(plugin(), answer(status)) == credentials


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (b"", "no ExecCredential"),
        (b"Token: abc", "no ExecCredential"),
        (b"\xff\xfe", "no"),
        (b"[]", "no ExecCredential"),
        (answer({"token": 7}), "no ExecCredential"),
        (answer(), "neither a token nor a certificate"),
        (answer({"token": ""}), "neither a token nor a certificate"),
        (answer({"clientCertificateData": "C"}), "a certificate or its key is missing"),
        (answer({"token": "t", "clientKeyData": "K"}), "a certificate or its key is missing"),
        (answer({"token": "t"}, kind="Pod"), "it is 'Pod client.authentication.k8s.io/v1'"),
        (answer({"token": "t"}, apiVersion="client.authentication.k8s.io/v1beta1"), "v1beta1', and asked for was"),
        (answer({"token": "a\nb"}), "characters that no token has"),
    ],
)
def test_answers_that_can_not_be_used(output: bytes, text: str) -> None:
    with pytest.raises(MirrordError) as caught:
        read_answer(plugin(), output)

    assert text in caught.value.text
    assert "abc" not in caught.value.text


def test_words_for_what_goes_wrong() -> None:
    hinted = plugin(command="aws", install_hint="Install it:\n  see its page.\n")

    assert missing(hinted).next_step == "Install it: see its page."
    assert "PATH" in missing(plugin()).next_step
    assert not_runnable(plugin(), "Exec format error").text.endswith("/bin/p can't be run: Exec format error.")
    assert failed(plugin(), 3, b"").text == "The credential plug-in p ended with code 3."
    assert failed(plugin(), -9, b"").text == "The credential plug-in p was ended by signal 9."
    assert failed(plugin(), 1, b"one\n\x1b[31mSign in, please.\n\n").text.endswith("code 1: [31mSign in, please.")
    assert len(failed(plugin(), 1, b"x" * 5000).text) < 400
