"""Ways to the API server, as kubeconfigs say them: whoever kubectl reaches, mirrord and its session reach too."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from tests.e2e.kit.cluster import Cluster
from tests.e2e.kit.developer import Developer
from tests.e2e.kit.relay import Proxy

CLUSTER_NAME = "kubernetes.default.svc"
"""A name that an API server's certificate has anywhere."""


def works(developer: Developer, *options: str) -> None:
    """A session starts, which has asked for the target, made an agent and forwarded a port."""
    done = developer.exec("deployment/go", "sh", "-c", "echo $SHOP_SECRET", options=options)
    assert (done.returncode, done.stdout) == (0, "sesame\n"), done.stderr


def test_token(developer: Developer) -> None:
    assert "token" in json.loads(developer.kubeconfig.read_text())["users"][0]["user"]
    works(developer)


def test_client_certificate(developer: Developer, cluster: Cluster) -> None:
    view = json.loads(cluster.kubectl("config", "view", "--minify", "--raw", "-o", "json"))
    if not {"client-certificate", "client-certificate-data"} & set(view["users"][0]["user"]):
        pytest.skip("whoever may do everything in this cluster has no client certificate")
    works(replace(developer, kubeconfig=cluster.kubeconfig), "-n", developer.namespace)


def test_plug_in_that_works(other: Callable[..., Developer], developer: Developer) -> None:
    """It gives the token, and the session has it for the port-forward."""
    token = json.loads(developer.kubeconfig.read_text())["users"][0]["user"]["token"]
    answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": token}}
    script = developer.runner.folder / "plug-in"
    script.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(answer)}\nEND\n")
    script.chmod(0o700)
    plug_in = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": str(script),
        "interactiveMode": "Never",
    }
    works(other({"exec": plug_in}))


def test_other_name_in_the_certificate(other: Callable[..., Developer]) -> None:
    works(other(**{"tls-server-name": CLUSTER_NAME}))


def test_certificate_that_does_not_matter(other: Callable[..., Developer]) -> None:
    """The developer says so, in the kubeconfig or by an option."""
    works(other(**{"tls-server-name": "elsewhere.test"}), "-c")
    works(other(**{"certificate-authority-data": None, "insecure-skip-tls-verify": True}))


def test_proxy(other: Callable[..., Developer], cluster: Cluster) -> None:
    """Everything goes through it, the session's connection too."""
    server = urlsplit(cluster.context()["server"])
    assert server.hostname
    with Proxy(server.hostname, server.port or 443) as proxy:
        works(other(**{"proxy-url": f"http://127.0.0.1:{proxy.port}"}))
        assert proxy.accepted > 1


def test_impersonation(other: Callable[..., Developer], cluster: Cluster, developer: Developer) -> None:
    """Whoever may be somebody else, and says so, has that one's rights."""
    view = json.loads(cluster.kubectl("config", "view", "--minify", "--flatten", "--raw", "-o", "json"))
    user = view["users"][0]["user"]
    works(other(user | {"as": f"system:serviceaccount:{developer.namespace}:developer"}))
    done = other(user | {"as": "nobody"}).exec("deployment/go", "true")
    assert done.returncode != 0
    assert 'User "nobody" cannot get resource "deployments"' in done.stderr
