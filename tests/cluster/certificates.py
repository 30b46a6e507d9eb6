"""The certificates of the cluster: whose they are, how openssl makes them, and the kubeconfigs that carry them. Pure.

Kubernetes knows a user by the certificate's common name and a group by its organisation, and gives the rights of
`system:...` names itself: kubernetes.io, "PKI certificates and requirements". etcd's authority is one of its own, so
that none whom the cluster's authority vouches for can go past the API server.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.layout import API_NAME, API_SERVICE, NODE, NODE_NAME

DAYS = "3650"
OPENSSL_CONFIGURATION = "[req]\ndistinguished_name = none\n[none]\n"
"""Nothing: what a certificate is to say is said on the command line, and the machine's defaults add nothing."""
KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc")


@dataclass(frozen=True, slots=True)
class Certificate:
    """One key and certificate: the files NAME.key and NAME.crt."""

    name: str
    subject: str
    """As openssl writes it."""
    authority: str = "ca"
    """The name of the one that signs it; its own: it is an authority."""
    names: tuple[str, ...] = ()
    """What it is good for as a server's, as openssl writes it; none: a client's only."""


HOST = f"IP:{NODE}"
CERTIFICATES = (
    Certificate("ca", "/CN=kubernetes"),
    Certificate("etcd-ca", "/CN=etcd", authority="etcd-ca"),
    Certificate("etcd", "/CN=etcd", authority="etcd-ca", names=(HOST,)),
    Certificate("etcd-client", "/CN=kube-apiserver", authority="etcd-ca"),
    Certificate(
        "apiserver",
        "/CN=kube-apiserver",
        names=(
            *(f"DNS:{name}" for name in ("kubernetes", "kubernetes.default", "kubernetes.default.svc", API_NAME)),
            f"IP:{API_SERVICE}",
            HOST,
        ),
    ),
    Certificate("apiserver-kubelet", "/O=system:masters/CN=kube-apiserver"),
    Certificate("kubelet", f"/O=system:nodes/CN=system:node:{NODE_NAME}", names=(f"DNS:{NODE_NAME}", HOST)),
    Certificate("controllers", "/CN=system:kube-controller-manager", names=(HOST,)),
    Certificate("scheduler", "/CN=system:kube-scheduler", names=(HOST,)),
    Certificate("proxy", "/CN=system:kube-proxy"),
    Certificate("coredns", "/CN=system:coredns"),
    Certificate("admin", "/O=system:masters/CN=admin"),
)
KUBECONFIGS = ("kubelet", "controllers", "scheduler", "proxy", "coredns", "admin")
"""Who speaks to the API server, by certificate."""


def openssl_commands(folder: Path, configuration: Path) -> Iterator[list[str]]:
    """Yield the commands that make everything in a folder, in order: certificates, and the pair that signs tokens."""
    for certificate in CERTIFICATES:
        own = certificate.authority == certificate.name
        extensions = (
            ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,digitalSignature")
            if own
            else (
                "basicConstraints=critical,CA:FALSE",
                "keyUsage=critical,digitalSignature",
                f"extendedKeyUsage=clientAuth{',serverAuth' if certificate.names else ''}",
                *((f"subjectAltName={','.join(certificate.names)}",) if certificate.names else ()),
            )
        )
        signer = folder / certificate.authority
        yield [
            *("openssl", "req", "-x509", "-config", str(configuration), *KEY, "-days", DAYS),
            *("-keyout", str(folder / f"{certificate.name}.key"), "-out", str(folder / f"{certificate.name}.crt")),
            *("-subj", certificate.subject),
            *(() if own else ("-CA", f"{signer}.crt", "-CAkey", f"{signer}.key")),
            *(word for extension in extensions for word in ("-addext", extension)),
        ]
    tokens = str(folder / "tokens.key")
    yield ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", tokens]
    yield ["openssl", "pkey", "-in", tokens, "-pubout", "-out", str(folder / "tokens.pub")]


def kubeconfig(authority: bytes, certificate: bytes, key: bytes) -> str:
    """Return a kubeconfig with everything in it, as JSON, which is YAML too."""

    def data(content: bytes) -> str:
        return base64.b64encode(content).decode()

    cluster = {"server": f"https://{NODE}:6443", "certificate-authority-data": data(authority)}
    user = {"client-certificate-data": data(certificate), "client-key-data": data(key)}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "mirrord", "cluster": cluster}],
        "users": [{"name": "mirrord", "user": user}],
        "contexts": [{"name": "mirrord", "context": {"cluster": "mirrord", "user": "mirrord"}}],
        "current-context": "mirrord",
    }
    return json.dumps(content, indent=1) + "\n"
