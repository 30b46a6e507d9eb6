"""The certificates are made by the machine's openssl, and say what they are to say."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cluster.certificates import (
    CERTIFICATES,
    KUBECONFIGS,
    OPENSSL_CONFIGURATION,
    Certificate,
    kubeconfig,
    openssl_commands,
)
from tests.cluster.layout import API_SERVICE, NODE

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pki")
    configuration = folder / "openssl.cnf"
    configuration.write_text(OPENSSL_CONFIGURATION)
    for command in openssl_commands(folder, configuration):
        subprocess.run(command, check=True, capture_output=True)
    return folder


def ask(*arguments: str) -> str:
    done = subprocess.run(["openssl", *arguments], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("certificate", CERTIFICATES, ids=lambda certificate: certificate.name)
def test_each_is_signed_for_what_it_is(made: Path, certificate: Certificate) -> None:
    authority, file = str(made / f"{certificate.authority}.crt"), str(made / f"{certificate.name}.crt")
    text = ask("x509", "-in", file, "-noout", "-text")
    own = certificate.authority == certificate.name

    ask("verify", "-CAfile", authority, *(() if own else ("-purpose", "sslclient")), file)
    assert ("CA:TRUE" in text) is own
    assert ("TLS Web Server Authentication" in text) is bool(certificate.names)
    assert (made / f"{certificate.name}.key").stat().st_mode & 0o077 == 0


def test_the_api_servers_is_good_for_all_its_names(made: Path) -> None:
    text = ask("x509", "-in", str(made / "apiserver.crt"), "-noout", "-ext", "subjectAltName")

    for name in ("DNS:kubernetes.default.svc.cluster.local", f"IP Address:{API_SERVICE}", f"IP Address:{NODE}"):
        assert name in text


def test_none_of_the_clusters_opens_etcd(made: Path) -> None:
    done = subprocess.run(
        ["openssl", "verify", "-CAfile", str(made / "etcd-ca.crt"), str(made / "admin.crt")], capture_output=True
    )

    assert done.returncode != 0


def test_the_pair_that_signs_tokens_belongs_together(made: Path) -> None:
    assert ask("pkey", "-in", str(made / "tokens.key"), "-pubout") == (made / "tokens.pub").read_text()


def test_a_kubeconfig_has_everything_in_it() -> None:
    content = json.loads(kubeconfig(b"authority", b"certificate", b"key"))

    assert base64.b64decode(content["clusters"][0]["cluster"]["certificate-authority-data"]) == b"authority"
    assert base64.b64decode(content["users"][0]["user"]["client-key-data"]) == b"key"
    assert content["clusters"][0]["cluster"]["server"] == f"https://{NODE}:6443"


def test_each_kubeconfig_has_its_certificate() -> None:
    assert set(KUBECONFIGS) < {certificate.name for certificate in CERTIFICATES}
