"""The daemons of the cluster: what each is started with, and where it says that it is well. Pure.

They run in a mount namespace of their own, and serve at the node's address alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.cluster.layout import API_NAME, LIB_KUBELET, NODE, NODE_NAME, SERVICES, Layout


@dataclass(frozen=True, slots=True)
class Daemon:
    """One process that up starts and down ends."""

    name: str
    command: tuple[str, ...]
    health: str = ""
    """The URL that answers 200 when it works; none: what needs it says so."""
    configurations: tuple[str, ...] = ()
    """The files of the folder of configurations that it reads as it starts."""


def daemons(layout: Layout) -> tuple[Daemon, ...]:
    """Return every daemon, in the order of starting."""
    return (*first_daemons(layout), *other_daemons(layout))


def first_daemons(layout: Layout) -> tuple[Daemon, ...]:
    """Return those that start at once: the API server, and what needs none."""
    pki = layout.pki
    return (
        Daemon(
            "etcd",
            (
                str(layout.bin / "etcd"),
                f"--data-dir={layout.state / 'etcd'}",
                f"--listen-client-urls=https://{NODE}:2379",
                f"--advertise-client-urls=https://{NODE}:2379",
                f"--listen-peer-urls=https://{NODE}:2380",
                f"--initial-advertise-peer-urls=https://{NODE}:2380",
                f"--initial-cluster=default=https://{NODE}:2380",
                *_pair(pki / "etcd", "cert-file", "key-file"),
                *_pair(pki / "etcd", "peer-cert-file", "peer-key-file"),
                f"--trusted-ca-file={pki / 'etcd-ca.crt'}",
                f"--peer-trusted-ca-file={pki / 'etcd-ca.crt'}",
                "--client-cert-auth",
                "--peer-client-cert-auth",
                "--unsafe-no-fsync",  # a machine that went down gets a new cluster
                "--log-level=warn",
            ),
        ),
        Daemon(
            "containerd",
            ("containerd", f"--config={layout.etc / 'containerd.toml'}", "--log-level=warn"),
            configurations=("containerd.toml", "cni/10-pods.conflist"),
        ),
        Daemon(
            "kube-apiserver",
            (
                str(layout.bin / "kube-apiserver"),
                f"--etcd-servers=https://{NODE}:2379",
                f"--etcd-cafile={pki / 'etcd-ca.crt'}",
                *_pair(pki / "etcd-client", "etcd-certfile", "etcd-keyfile"),
                f"--bind-address={NODE}",
                f"--advertise-address={NODE}",
                f"--client-ca-file={pki / 'ca.crt'}",
                *_pair(pki / "apiserver", "tls-cert-file"),
                *_pair(pki / "apiserver-kubelet", "kubelet-client-certificate", "kubelet-client-key"),
                f"--kubelet-certificate-authority={pki / 'ca.crt'}",
                "--kubelet-preferred-address-types=InternalIP",
                "--authorization-mode=Node,RBAC",
                "--enable-admission-plugins=NodeRestriction",
                "--allow-privileged=true",
                f"--service-cluster-ip-range={SERVICES}",
                f"--service-account-issuer=https://{API_NAME}",
                f"--service-account-key-file={pki / 'tokens.pub'}",
                f"--service-account-signing-key-file={pki / 'tokens.key'}",
                "--profiling=false",
            ),
            f"https://{NODE}:6443/readyz",
        ),
    )


def other_daemons(layout: Layout) -> tuple[Daemon, ...]:
    """Return those that want the API server to answer as they start."""
    pki = layout.pki
    return (
        Daemon(
            "kube-controller-manager",
            (
                str(layout.bin / "kube-controller-manager"),
                f"--kubeconfig={pki / 'controllers.kubeconfig'}",
                f"--bind-address={NODE}",
                *_pair(pki / "controllers", "tls-cert-file"),
                f"--root-ca-file={pki / 'ca.crt'}",
                f"--service-account-private-key-file={pki / 'tokens.key'}",
                "--use-service-account-credentials",
                "--leader-elect=false",
                "--node-monitor-period=1s",
                "--kube-api-qps=500",
                "--kube-api-burst=500",
                "--profiling=false",
            ),
            f"https://{NODE}:10257/healthz",
        ),
        Daemon(
            "kube-scheduler",
            (
                str(layout.bin / "kube-scheduler"),
                f"--kubeconfig={pki / 'scheduler.kubeconfig'}",
                f"--bind-address={NODE}",
                *_pair(pki / "scheduler", "tls-cert-file"),
                "--leader-elect=false",
                "--profiling=false",
            ),
            f"https://{NODE}:10259/healthz",
        ),
        Daemon(
            "kubelet",
            (
                str(layout.bin / "kubelet"),
                f"--config={layout.etc / 'kubelet.yaml'}",
                f"--kubeconfig={pki / 'kubelet.kubeconfig'}",
                f"--hostname-override={NODE_NAME}",
                f"--node-ip={NODE}",
                f"--root-dir={LIB_KUBELET}",
                f"--cert-dir={LIB_KUBELET}/pki",
            ),
            f"http://{NODE}:10248/healthz",
            ("kubelet.yaml", "resolv.conf"),
        ),
        Daemon(
            "kube-proxy",
            (str(layout.bin / "kube-proxy"), f"--config={layout.etc / 'proxy.yaml'}"),
            f"http://{NODE}:10256/healthz",
            ("proxy.yaml",),
        ),
        Daemon(
            "coredns",
            (str(layout.bin / "coredns"), f"-conf={layout.etc / 'Corefile'}"),
            f"http://{NODE}:8181/ready",
            ("Corefile",),
        ),
    )


def _pair(name: Path, certificate: str, key: str = "tls-private-key-file") -> tuple[str, str]:
    """Return the flags of a certificate and its key."""
    return f"--{certificate}={name}.crt", f"--{key}={name}.key"
