"""The configuration files of the daemons, as text. Pure.

What is said here is what one small node needs; all else is as the daemons have it by default, feature gates too.
"""

from __future__ import annotations

import json
from typing import Any

from tests.cluster.layout import (
    CNI_PLUGINS,
    DNS_SERVICE,
    DOMAIN,
    LIB_KUBELET,
    NETWORK,
    NODE,
    NODE_NAME,
    PAUSE,
    PODS,
    RUN_CONTAINERD,
    Layout,
)

WHERE = f"unix://{RUN_CONTAINERD}/containerd.sock"


def files(layout: Layout) -> dict[str, str]:
    """Every file by its name in the folder of configurations."""
    return {
        "containerd.toml": containerd(layout),
        "cni/10-pods.conflist": _yaml(pods_network()),
        "kubelet.yaml": _yaml(kubelet(layout)),
        "proxy.yaml": _yaml(proxy(layout)),
        "Corefile": corefile(layout),
        "resolv.conf": f"nameserver {NODE}\n",
    }


def containerd(layout: Layout) -> str:
    """containerd's, for version 1.6.

    Without CAP_SYS_RESOURCE, which few containers that run tests have, a process can't make itself less likely to be
    killed for want of memory than its parent is: `restrict_oom_score_adj`. The networks' namespaces are kept with the
    rest of its state, so that they go with it.
    """
    return f"""\
version = 2
root = "{layout.containerd}"
state = "{RUN_CONTAINERD}"

[grpc]
  address = "{RUN_CONTAINERD}/containerd.sock"

[plugins."io.containerd.internal.v1.opt"]
  path = "{layout.containerd}/opt"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{CNI_PLUGINS}"
  conf_dir = "{layout.etc / "cni"}"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = false
"""


def pods_network() -> dict[str, Any]:
    """Each pod has a cable of its own to the node, which routes: unlike a bridge, this needs no br_netfilter."""
    addresses = {"type": "host-local", "ranges": [[{"subnet": PODS}]], "routes": [{"dst": "0.0.0.0/0"}]}
    return {
        "cniVersion": "0.4.0",
        "name": NETWORK,
        "plugins": [
            {"type": "ptp", "ipam": addresses},
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def kubelet(layout: Layout) -> dict[str, Any]:
    """The kubelet's: cgroup v1 is fine, nothing is reserved, disks may be nearly full, no image is ever thrown away."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": NODE,
        "healthzBindAddress": NODE,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(layout.pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(layout.pki / "kubelet.crt"),
        "tlsPrivateKeyFile": str(layout.pki / "kubelet.key"),
        "containerRuntimeEndpoint": WHERE,
        "volumePluginDir": f"{LIB_KUBELET}/plugins-exec",
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{layout.group}",
        "enforceNodeAllocatable": [],
        "failSwapOn": False,
        "makeIPTablesUtilChains": False,
        "oomScoreAdj": 0,
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "clusterDNS": [DNS_SERVICE],
        "clusterDomain": DOMAIN,
        "resolvConf": str(layout.etc / "resolv.conf"),
        "syncFrequency": "10s",
        "eventRecordQPS": 0,
    }


def proxy(layout: Layout) -> dict[str, Any]:
    """kube-proxy's: it leaves the machine's limits of connection tracking alone."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": {"kubeconfig": str(layout.pki / "proxy.kubeconfig")},
        "clusterCIDR": PODS,
        "hostnameOverride": NODE_NAME,
        "bindAddress": NODE,
        "healthzBindAddress": f"{NODE}:10256",
        "metricsBindAddress": f"{NODE}:10249",
        "conntrack": {"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "oomScoreAdj": 0,
    }


def corefile(layout: Layout) -> str:
    """CoreDNS's: the cluster's names. There are no others, so that no test depends on the net."""
    return f"""\
.:53 {{
  bind {NODE}
  errors
  ready {NODE}:8181
  cache 5
  kubernetes {DOMAIN} in-addr.arpa ip6.arpa {{
    kubeconfig "{layout.pki / "coredns.kubeconfig"}"
    pods insecure
    fallthrough in-addr.arpa ip6.arpa
    ttl 5
  }}
  template ANY ANY {{
    rcode NXDOMAIN
  }}
}}
"""


def _yaml(content: dict[str, Any]) -> str:
    """JSON is YAML too."""
    return json.dumps(content, indent=2) + "\n"
