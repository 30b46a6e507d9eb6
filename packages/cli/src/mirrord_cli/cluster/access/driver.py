"""Reads a kubeconfig by the kubernetes client, which also runs plug-ins for credentials, and makes `Access` of it.

The client writes certificates and keys to files, which it removes when Python ends; this process doesn't end but
becomes the program. So they get a folder of their own, in memory where there is /dev/shm, which is gone at once.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from kubernetes.config.config_exception import ConfigException
from kubernetes.config.exec_provider import ExecProvider
from kubernetes.config.incluster_config import (
    SERVICE_CERT_FILENAME,
    SERVICE_TOKEN_FILENAME,
    InClusterConfigLoader,
)
from kubernetes.config.kube_config import KubeConfigLoader, KubeConfigMerger
from msgspec import Struct

from mirrord_cli.cluster.access.machine import impersonation, no_context, plugin_failed, proxy_for
from mirrord_cli.errors import MirrordError
from mirrord_cli.session.access import Access

MEMORY = "/dev/shm"
NEXT = "Correct it; `kubectl config view` shows what it says."
NONE_NEXT = "Log in to a cluster, or name a kubeconfig: the key kubeconfig, or the variable KUBECONFIG."


class Loaded(Struct, frozen=True):
    """What a kubeconfig says."""

    access: Access
    namespace: str
    """The context's, or `default`."""


def load_access(
    *,
    kubeconfig: str | None,
    context: str | None,
    accept_invalid_certificates: bool | None,
    use_proxy: bool,
    variables: Mapping[str, str],
) -> Loaded:
    """Read the kubeconfig, or what a pod is given, and run its plug-in if it has one.

    Args:
        kubeconfig: Its path, or several as KUBECONFIG has them; None: KUBECONFIG, then ~/.kube/config, then a pod's.
        context: Which of its contexts; None: the current one.
        accept_invalid_certificates: Instead of what it says; None leaves that.
        use_proxy: Whether the variables for proxies count.
        variables: This process's.

    Raises:
        MirrordError: There is none, or it can't be used.
    """
    given = kubeconfig or variables.get("KUBECONFIG")
    paths = [os.path.expanduser(path) for path in (given or "~/.kube/config").split(os.pathsep) if path]
    there = [path for path in paths if os.path.exists(path)]
    if kubeconfig and not there:
        text = f"There is no kubeconfig {kubeconfig}."
        raise MirrordError("configuration", text, "Correct the key kubeconfig, or the variable MIRRORD_KUBECONFIG.")
    if there:
        loaded = _from_files(there, context, variables)
    elif "KUBERNETES_SERVICE_HOST" in variables and os.path.exists(SERVICE_TOKEN_FILENAME):
        loaded = _from_pod(variables)
    else:
        raise MirrordError("configuration", f"There is no kubeconfig: {', '.join(paths)} isn't there.", NONE_NEXT)
    loader, headers, namespace = loaded
    return Loaded(
        Access(
            server=loader.host,
            verify=loader.verify if accept_invalid_certificates is None else not accept_invalid_certificates,
            authorities=loader.authorities,
            server_name=loader.server_name,
            certificate=loader.certificate,
            key=loader.key,
            headers=(*((("Authorization", loader.token),) if loader.token else ()), *headers),
            proxy=proxy_for(loader.host, loader.proxy, variables, use_proxy=use_proxy),
        ),
        namespace,
    )


class _Read(Struct, frozen=True, kw_only=True):
    """What a loader of the client has, with the content of its files."""

    host: str
    token: str = ""
    verify: bool = True
    authorities: bytes = b""
    server_name: str = ""
    certificate: bytes = b""
    key: bytes = b""
    proxy: str | None = None


class _Loader(KubeConfigLoader):  # type: ignore[misc]
    """The client's loader, but for a plug-in that fails: there it only logs."""

    def _load_from_exec_plugin(self) -> bool:
        if "exec" not in self._user:
            return False
        command = self._user["exec"]["command"]
        hint = self._user["exec"].safe_get("installHint") or ""
        folder = self._get_base_path(self._cluster.path)
        if os.sep not in command:  # as kubectl does: only a path is relative to the kubeconfig
            found = shutil.which(command)
            if found is None:
                raise plugin_failed(command, "there is no such command in PATH", hint)
        try:
            status = ExecProvider(self._user["exec"], folder, self._cluster).run()
        except FileNotFoundError:
            raise plugin_failed(command, "there is no such file", hint) from None
        except (ConfigException, OSError) as error:
            said = str(error).removeprefix("exec: ").strip().splitlines()
            raise plugin_failed(command, said[-1] if said else "", hint) from None
        if token := status.get("token"):
            self.token = f"Bearer {token}"
        if "clientCertificateData" in status and "clientKeyData" in status:
            self.plugin_pair = status["clientCertificateData"].encode(), status["clientKeyData"].encode()
        elif not token:
            raise plugin_failed(command, "its answer has neither token nor certificate", hint)
        return True


def _from_files(
    paths: list[str], context: str | None, variables: Mapping[str, str]
) -> tuple[_Read, tuple[tuple[str, str], ...], str]:
    where = os.pathsep.join(paths)
    folder = tempfile.mkdtemp(prefix="mirrord-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None)
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    try:
        merged = KubeConfigMerger(os.pathsep.join(paths))
        raw = merged.config.value if merged.config else {}
        names = [each["name"] for each in raw.get("contexts") or []]
        wanted = context or raw.get("current-context") or None
        if wanted is None or wanted not in names:
            raise no_context(wanted, names, where)
        loader = _Loader(
            merged.config,
            active_context=wanted,
            config_base_path=None,
            config_persister=merged.save_changes,
            temp_file_path=folder,
        )
        loader._load_authentication()  # noqa: SLF001 - load_and_set, but without a Configuration to put it into
        loader._load_cluster_info()  # noqa: SLF001
        user = loader._user.value if loader._user else {}  # noqa: SLF001
        if "auth-provider" in user and not hasattr(loader, "token"):
            text = f"The kubeconfig's auth-provider {user['auth-provider'].get('name')!r} gives no token."
            raise MirrordError("cluster", text, "Log in to the cluster again, or use its plug-in for credentials.")
        certificate, key = getattr(loader, "plugin_pair", None) or (
            _content(loader, "cert_file"),
            _content(loader, "key_file"),
        )
        read = _Read(
            host=loader.host,
            token=getattr(loader, "token", ""),
            verify=getattr(loader, "verify_ssl", True),
            authorities=_content(loader, "ssl_ca_cert"),
            server_name=getattr(loader, "tls_server_name", None) or "",
            certificate=certificate,
            key=key,
            proxy=getattr(loader, "proxy", None),
        )
        namespace = loader.current_context["context"].get("namespace") or "default"
    except MirrordError:
        raise
    except (ConfigException, OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        # The client takes a kubeconfig for what it should be: what isn't so shows as any of these.
        text = f"The kubeconfig ({where}) can't be used: {_plain(error)}."
        raise MirrordError("configuration", text, NEXT) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return read, tuple(impersonation(user)), namespace


def _from_pod(variables: Mapping[str, str]) -> tuple[_Read, tuple[tuple[str, str], ...], str]:
    loader: Any = InClusterConfigLoader(SERVICE_TOKEN_FILENAME, SERVICE_CERT_FILENAME, environ=variables)
    try:
        loader._load_config()  # noqa: SLF001 - as above
    except ConfigException as error:
        raise MirrordError(
            "configuration", f"This pod's access to its cluster can't be used: {error}", NONE_NEXT
        ) from None
    own = Path(SERVICE_TOKEN_FILENAME).with_name("namespace")
    namespace = own.read_text(encoding="utf-8").strip() if own.exists() else "default"
    return _Read(host=loader.host, token=loader.token, authorities=_content(loader, "ssl_ca_cert")), (), namespace


def _content(loader: object, attribute: str) -> bytes:
    path = getattr(loader, attribute, None)
    return Path(path).read_bytes() if path else b""


def _plain(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
