"""Where everything of the cluster is, and what it is called: paths below one folder, addresses, names. No I/O.

Others use it for the paths: `from tests.cluster.layout import HERE`, then `HERE.kubeconfig`, `HERE.kubectl`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

KUBERNETES = "1.34.4"
"""As in go/go.mod."""

NODE_NAME = "node"
NODE_DEVICE = "mirrord-node"
NODE = "10.243.0.1"
PODS = "10.244.0.0/24"
SERVICES = "10.96.0.0/16"
API_SERVICE = "10.96.0.1"
DNS_SERVICE = "10.96.0.10"
DOMAIN = "cluster.local"
API_NAME = f"kubernetes.default.svc.{DOMAIN}"
NETWORK = "mirrord"
"""What CNI calls the pods' network, and nftables our table."""
PAUSE = "mirrord-pause:1"
"""The image of each pod's first process."""
CNI_PLUGINS = "/usr/lib/cni"
"""Where Debian has them."""

RUN_CONTAINERD = "/run/containerd"
LIB_KUBELET = "/var/lib/kubelet"
"""Paths as the daemons see them; outside their mount namespace they are below the cluster's folder."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one cluster: everything is below `top`."""

    top: Path

    # What others use.

    @property
    def kubeconfig(self) -> Path:
        """For an administrator, by a client certificate."""
        return self.top / "kubeconfig"

    @property
    def kubectl(self) -> Path:
        return self.bin / "kubectl"

    @property
    def ctr(self) -> Path:
        """containerd's own program, told where our containerd is and which namespace is Kubernetes'."""
        return self.bin / "ctr"

    @property
    def ctr_command(self) -> tuple[str, ...]:
        """What that program consists of."""
        return ("ctr", "--address", str(self.socket), "--namespace", "k8s.io")

    # What stays when the cluster is taken down.

    @property
    def bin(self) -> Path:
        return self.top / "bin"

    @property
    def go(self) -> Path:
        """Go, where the machine has none that is new enough."""
        return self.top / "go"

    @property
    def images(self) -> Path:
        """Archives of images, and what they are made of. tools/image has its things here too."""
        return self.top / "images"

    @property
    def pki(self) -> Path:
        return self.top / "pki"

    @property
    def containerd(self) -> Path:
        """Images that were loaded."""
        return self.top / "containerd"

    @property
    def log(self) -> Path:
        return self.top / "log"

    @property
    def lock(self) -> Path:
        """Held by whoever changes the cluster."""
        return self.top / "lock"

    # What goes when the cluster is taken down.

    @property
    def run(self) -> Path:
        """What lives no longer than the daemons: their records, configuration, sockets, mount namespace."""
        return self.top / "run"

    @property
    def state(self) -> Path:
        """What the cluster remembers, but for the images."""
        return self.top / "state"

    @property
    def records(self) -> Path:
        return self.run / "pid"

    @property
    def etc(self) -> Path:
        return self.run / "etc"

    @property
    def pinned(self) -> Path:
        """The folder, a mount of its own, in which the daemons' mount namespace is kept."""
        return self.run / "mnt"

    @property
    def namespace(self) -> Path:
        return self.pinned / "namespace"

    @property
    def socket(self) -> Path:
        """containerd's, from outside."""
        return self.run / "containerd" / "containerd.sock"

    @property
    def group(self) -> str:
        """The name of the control group that everything of this cluster is in, in every hierarchy."""
        return f"mirrord-{hashlib.sha256(str(self.top).encode()).hexdigest()[:8]}"

    def binds(self) -> dict[str, Path]:
        """The folders whose paths are fixed in the daemons' code, and what of ours they see in their place."""
        return {
            RUN_CONTAINERD: self.run / "containerd",
            LIB_KUBELET: self.state / "kubelet",
            "/var/lib/cni": self.state / "cni",
            "/var/log/containers": self.state / "log-containers",
            "/var/log/pods": self.state / "log-pods",
        }


HERE = Layout(Path(__file__).resolve().parent.parent.parent / ".cluster")
"""This checkout's cluster."""
