"""Kubeconfigs on disk, what they name, and what a pod has in their place."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from certificates import Authority
from mirrord_cli.cluster.access.driver import Loaded, load_access
from mirrord_cli.errors import MirrordError
from mirrord_cli.session.access import Access

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str = "config", *, user: Any = None, context: Any = None, **cluster: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "here",
            "clusters": [{"name": "c", "cluster": {"server": "https://c.test:6443"} | cluster}],
            "users": [{"name": "u", "user": user or {}}],
            "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"} | (context or {})}],
        }))  # fmt: skip
        return path

    return write


def load(
    path: Path | str | None = None, context: str | None = None, *, pod: str = "/nowhere", **variables: str
) -> Loaded:
    return load_access(
        kubeconfig=None if path is None else str(path),
        context=context,
        accept_invalid_certificates=None,
        use_proxy=True,
        variables=variables,
        pod=pod,
    )


def test_the_least(write: Write) -> None:
    loaded = load(write())

    assert loaded.access == Access(server="https://c.test:6443")
    assert (loaded.namespace, loaded.user) == ("default", "user u of context here")


def test_where_it_is_looked_for(write: Write, tmp_path: Path) -> None:
    write(".kube/config", context={"namespace": "home"})
    one, two = write("one", context={"namespace": "one"}), write("a folder/two", context={"namespace": "two"})
    home = str(tmp_path)

    assert load(HOME=home).namespace == "home"
    assert load(HOME=home, KUBECONFIG=f"{tmp_path}/none:{two}:{one}:").namespace == "two"
    assert load(HOME=home, KUBECONFIG="~/one").namespace == "one"
    assert load(one, HOME=home, KUBECONFIG=str(two)).namespace == "one"
    assert load("~/one", HOME=home).namespace == "one"
    assert load("$WHERE/${NAME}", HOME=home, WHERE=home, NAME="one").namespace == "one"


def test_several_files_are_one(write: Write, tmp_path: Path) -> None:
    one = write("one", user={"token": "t"}, context={"cluster": "elsewhere"})
    two = tmp_path / "two"
    two.write_text("clusters: [{name: elsewhere, cluster: {server: https://e.test}}]")

    assert load(KUBECONFIG=f"{one}:{two}").access.server == "https://e.test"


def test_files_and_data(write: Write, tmp_path: Path) -> None:
    authority = Authority()
    certificate, key = authority.user()
    for name, content in (("ca.crt", authority.pem), ("u.crt", certificate), ("u.key", key), ("token", b" t\n")):
        (tmp_path / name).write_bytes(content)
    data = {
        "client-certificate-data": base64.b64encode(certificate).decode(),
        "client-key-data": base64.b64encode(key).decode(),
    }
    by_files = write(
        "files",
        user={"client-certificate": "u.crt", "client-key": "u.key", "tokenFile": "token"},
        **{"certificate-authority": "ca.crt"},
    )
    by_data = write(
        "data",
        user=data | {"token": "t", "client-key": "not there"},
        **{
            "certificate-authority-data": base64.b64encode(authority.pem).decode(),
            "certificate-authority": "not there",
        },
    )

    assert load(by_files).access == load(by_data).access
    assert load(by_files).access == Access(
        server="https://c.test:6443",
        authorities=authority.pem,
        certificate=certificate,
        key=key,
        headers=(("Authorization", "Bearer t"),),
    )


def test_a_proxy_by_variables(write: Write) -> None:
    assert load(write(), HTTPS_PROXY="http://p:1").access.proxy == "http://p:1"


def test_a_plugin(write: Write, tmp_path: Path) -> None:
    version = "client.authentication.k8s.io/v1"
    status = {"token": "t", "clientCertificateData": "C", "clientKeyData": "K"}
    answer = json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": status})
    program = tmp_path / "bin" / "p"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho '{answer}'\n")
    program.chmod(0o700)
    plugin = {"apiVersion": version, "command": "bin/p", "interactiveMode": "Never"}

    access = load(write(user={"exec": plugin, "as": "bob"})).access

    assert access.headers == (("Authorization", "Bearer t"), ("Impersonate-User", "bob"))
    assert (access.certificate, access.key) == (b"C", b"K")
    # A certificate of the kubeconfig's own counts before the plug-in's.
    own = {"client-certificate-data": "Yw==", "client-key-data": "aw=="}
    access = load(write(user={"exec": plugin} | own)).access
    assert (access.certificate, access.key) == (b"c", b"k")


def test_in_a_pod(tmp_path: Path) -> None:
    pod = tmp_path / "serviceaccount"
    pod.mkdir()
    for name, content in (("token", "t"), ("ca.crt", "CA"), ("namespace", "shop")):
        (pod / name).write_text(content)
    inside = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}

    loaded = load(pod=str(pod), HOME=str(tmp_path), **inside)

    assert loaded.access == Access(
        server="https://10.0.0.1:443", authorities=b"CA", headers=(("Authorization", "Bearer t"),)
    )
    assert loaded.namespace == "shop"
    inside["KUBERNETES_SERVICE_HOST"] = "fd00::1"
    assert load(pod=str(pod), HOME=str(tmp_path), **inside).access.server == "https://[fd00::1]:443"


def test_none_at_all(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("")
    with pytest.raises(MirrordError, match=r"There is no kubeconfig: looked for .*/.kube/config.$") as caught:
        load(HOME=str(tmp_path), KUBERNETES_SERVICE_HOST="10.0.0.1", KUBERNETES_SERVICE_PORT="443")
    with pytest.raises(MirrordError, match="There is no kubeconfig"):
        load(KUBECONFIG=f"{tmp_path}/empty:{tmp_path}/none")

    assert caught.value.category == "configuration"
    assert "--kubeconfig" in caught.value.next_step


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("clusters: [", "can't be understood: line 2, column 1: did not find"),
        ("a: !!python/object:os.system {}", "can't be understood"),
        ("a: \0", "can't be understood"),
        ("just text", "isn't one: Expected `object`"),
    ],
)
def test_one_that_can_not_be_understood(tmp_path: Path, content: str, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(content)

    with pytest.raises(MirrordError, match=f"The kubeconfig {path} ") as caught:
        load(path)

    assert text in caught.value.text
    assert caught.value.category == "configuration"


@pytest.mark.parametrize(
    ("user", "text"),
    [
        ({"client-certificate": "none.crt"}, "client-certificate, .*/none.crt can't be read: No such file"),
        ({"tokenFile": "folder"}, "token file .*/folder can't be read: Is a directory"),
        ({"tokenFile": "binary"}, "token file .*/binary is no text"),
        ({"client-key-data": "?"}, "client-key-data is no base64"),
    ],
)
def test_what_it_names_is_not_there(write: Write, tmp_path: Path, user: Any, text: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "binary").write_bytes(b"\xff")

    with pytest.raises(MirrordError, match=text):
        load(write(user=user))


def test_a_named_one_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(MirrordError, match="none can't be read: No such file"):
        load(tmp_path / "none")


def test_nothing_is_written(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = tmp_path / "tmp"
    secrets.mkdir()
    monkeypatch.setenv("TMPDIR", str(secrets))
    key = base64.b64encode(Authority().user()[1]).decode()

    load(write(user={"client-key-data": key, "client-certificate-data": key}))

    assert os.listdir(secrets) == []
