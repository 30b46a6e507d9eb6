"""People with rights in the tests' cluster: service accounts that are bound to what `mirrord rbac` prints, and no more."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.e2e.kit.cluster import Cluster

MIRRORD = (sys.executable, "-P", "-m", "mirrord_cli")
LIFETIME = "3h"


def printed_role(*options: str) -> str:
    """What `mirrord rbac` says."""
    done = subprocess.run([*MIRRORD, "rbac", *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def make_person(cluster: Cluster, folder: Path, name: str, home: str, *roles: tuple[str, ...]) -> Path:
    """Make someone with these roles alone; their kubeconfig.

    Args:
        cluster: Where.
        folder: Where the kubeconfig is put.
        name: The service account's name.
        home: Its namespace, which is that of its context.
        roles: For each Role the options of `mirrord rbac`.
    """
    cluster.kubectl("create", "serviceaccount", "-n", home, name)
    for number, options in enumerate(roles):
        role = printed_role(*options, "--name", f"{name}-{number}", "--service-account", f"{home}:{name}")
        cluster.kubectl("apply", "-f", "-", given=role)
    token = cluster.kubectl("create", "token", "-n", home, name, f"--duration={LIFETIME}").strip()
    return write_kubeconfig(folder / f"{name}.kubeconfig", cluster, home, {"token": token})


def write_kubeconfig(path: Path, cluster: Cluster, namespace: str, user: dict[str, Any], **other: Any) -> Path:
    """Write the kubeconfig of someone; `other` is what is different about their cluster."""
    context = {"cluster": "cluster", "user": "person", "namespace": namespace}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "cluster", "cluster": cluster.context() | other}],
        "users": [{"name": "person", "user": user}],
        "contexts": [{"name": "test", "context": context}],
        "current-context": "test",
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(content))  # which is YAML too
    return path
