"""The configurations can be read, and the daemons' command lines name files that are made."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

from tests.cluster.certificates import CERTIFICATES, KUBECONFIGS
from tests.cluster.configurations import corefile, files
from tests.cluster.daemons import daemons
from tests.cluster.layout import Layout

LAYOUT = Layout(Path("/srv/checkout/.cluster"))
PKI = re.compile(rf"{LAYOUT.pki}/([\w.-]+)")
MADE = {f"{one.name}{end}" for one in CERTIFICATES for end in (".crt", ".key")} | {"tokens.key", "tokens.pub"}


def test_the_files_are_of_their_formats() -> None:
    found = files(LAYOUT)
    containerd = tomllib.loads(found["containerd.toml"])

    assert containerd["plugins"]["io.containerd.grpc.v1.cri"]["cni"]["conf_dir"] == f"{LAYOUT.etc}/cni"
    for name in ("kubelet.yaml", "proxy.yaml", "cni/10-pods.conflist"):
        assert json.loads(found[name])
    assert corefile(LAYOUT).count("{") == corefile(LAYOUT).count("}")


def test_all_keys_and_certificates_that_are_named_are_made() -> None:
    texts = [*files(LAYOUT).values(), *(word for daemon in daemons(LAYOUT) for word in daemon.command)]
    named = {name for text in texts for name in PKI.findall(text)}

    assert len(named) > 10
    assert named <= MADE | {f"{name}.kubeconfig" for name in KUBECONFIGS if name != "admin"}


def test_all_configurations_that_are_named_are_made() -> None:
    named = {name for daemon in daemons(LAYOUT) for name in daemon.configurations}

    assert named == set(files(LAYOUT))
