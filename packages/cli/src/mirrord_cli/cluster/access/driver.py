"""Reads kubeconfigs, or what a pod has, and the files and programs that they name. What it all means is in machine.py.

Secrets stay in memory: nothing is written to a file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Template

from mirrord_cli.cluster.access.kubeconfig import Chosen, Cluster, Document, Plugin, User, choose, parse_document
from mirrord_cli.cluster.access.machine import (
    Credentials,
    access_to,
    decode,
    server_of,
    source_of,
    static_authorization,
)
from mirrord_cli.cluster.access.plugin.driver import run_plugin
from mirrord_cli.cluster.access.proxies import proxy_for
from mirrord_cli.errors import MirrordError
from mirrord_cli.session.access import Access

POD = "/var/run/secrets/kubernetes.io/serviceaccount"
"""What a pod's container has of its service account (Kubernetes, "Accessing the API from a Pod")."""
DEFAULT = "~/.kube/config"


@dataclass(frozen=True, slots=True)
class Loaded:
    """How a cluster is reached, and the words for it."""

    access: Access
    namespace: str
    """The context's, or `default`."""
    user: str
    """Who asks, for a person: `user alice of context shop`."""


def load_access(
    *,
    kubeconfig: str | None,
    context: str | None,
    accept_invalid_certificates: bool | None,
    use_proxy: bool,
    variables: Mapping[str, str],
    pod: str = POD,
) -> Loaded:
    """Return how the user's cluster is reached.

    Args:
        kubeconfig: A file's path, which may begin with `~/` and have variables; None: those of KUBECONFIG, or
            `~/.kube/config`, or what a pod has.
        context: The name of one; None: the current one.
        accept_invalid_certificates: None: as the kubeconfig says.
        use_proxy: Whether variables may name a proxy.
        variables: The environment.
        pod: Where a pod has what it reaches the API server with.

    Raises:
        MirrordError: There is no kubeconfig, or it, or what it names, can't be used.
    """
    paths, named = _paths(kubeconfig, variables)
    files = [(os.path.abspath(path), _document(path)) for path in paths if named or os.path.exists(path)]
    if any(_says_something(document) for _, document in files):
        chosen = choose(files, context)
        user = f"user {chosen.user_name} of context {chosen.context}" if chosen.user_name else "nobody in particular"
    else:
        chosen, user = _inside(pod, paths, variables), "the pod's service account"
    cluster = chosen.cluster
    authorities = _content(cluster.certificate_authority_data, cluster.certificate_authority, "certificate-authority")
    credentials = _credentials(chosen, authorities, variables)
    proxy = proxy_for(server_of(chosen), chosen.cluster.proxy_url, variables, use_proxy=use_proxy)
    access = access_to(chosen, authorities, credentials, accept_invalid=accept_invalid_certificates, proxy=proxy)
    return Loaded(access, chosen.namespace or "default", user)


def _paths(kubeconfig: str | None, variables: Mapping[str, str]) -> tuple[list[str], bool]:
    """Return the files that may have something, and whether one was named, which has to be there."""
    if kubeconfig:
        return [_home(Template(kubeconfig).safe_substitute(variables), variables)], True
    listed = [path for path in variables.get("KUBECONFIG", "").split(os.pathsep) if path]
    return [_home(path, variables) for path in listed or [DEFAULT]], False


def _home(path: str, variables: Mapping[str, str]) -> str:
    home = variables.get("HOME", "")
    return os.path.join(home, path[2:]) if path.startswith("~/") and home else path


def _document(path: str) -> Document:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as quick, where it is
    try:
        return parse_document(yaml.load(_read(path, "kubeconfig"), loader), path)  # noqa: S506 - it is a safe loader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        why = getattr(error, "problem", None) or type(error).__name__
        text = f"The kubeconfig {path} can't be understood: {place}{why}."
        raise MirrordError("configuration", text, "Correct it, or name another with --kubeconfig.") from None


def _says_something(document: Document) -> bool:
    return bool(document.clusters or document.contexts or document.users or document.current_context)


def _read(path: str, what: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        text = f"The {what} {path} can't be read: {error.strerror}."
        raise MirrordError("configuration", text, "Check the path and its permissions.") from None


def _content(data: str, path: str, what: str) -> bytes:
    """Return what data, or else a file, has; nothing if there is neither."""
    if data:
        return decode(data, f"{what}-data")
    return _read(path, f"file that the kubeconfig names as {what},") if path else b""


def _credentials(chosen: Chosen, authorities: bytes, variables: Mapping[str, str]) -> Credentials:
    user = chosen.user
    certificate = _content(user.client_certificate_data, user.client_certificate, "client-certificate")
    key = _content(user.client_key_data, user.client_key, "client-key")
    source = source_of(user)
    if isinstance(source, Plugin):
        asked = run_plugin(source, chosen.cluster, authorities, variables)
        return asked if not certificate else Credentials(asked.authorization, certificate, key)
    if source is not None:
        from mirrord_cli.cluster.access.provider.driver import ask_provider

        return Credentials(ask_provider(chosen, source), certificate, key)
    return Credentials(static_authorization(user, _token(user)), certificate, key)


def _token(user: User) -> str:
    """Return the token of a user's token file; empty if there is none, or another counts in its place."""
    if not user.token_file:
        return ""
    try:
        return _read(user.token_file, "token file").decode().strip()
    except UnicodeDecodeError:
        text = f"The token file {user.token_file} is no text."
        raise MirrordError("configuration", text, "Check what the kubeconfig names as tokenFile.") from None


def _inside(pod: str, paths: Sequence[str], variables: Mapping[str, str]) -> Chosen:
    """Return what a pod's container knows of its cluster. Raises MirrordError outside of pods."""
    host, port = variables.get("KUBERNETES_SERVICE_HOST", ""), variables.get("KUBERNETES_SERVICE_PORT", "")
    token = os.path.join(pod, "token")
    if not host or not port or not os.path.exists(token):
        text = f"There is no kubeconfig: looked for {', '.join(paths)}."
        next_step = (
            "Name one with --kubeconfig or KUBECONFIG; what made the cluster, or your cloud's tool, can write it."
        )
        raise MirrordError("configuration", text, next_step)
    namespace = os.path.join(pod, "namespace")
    return Chosen(
        context="",
        namespace=_read(namespace, "file").decode(errors="replace").strip() if os.path.exists(namespace) else "",
        cluster=Cluster(
            server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
            certificate_authority=os.path.join(pod, "ca.crt"),
        ),
        user_name="",
        user=User(token_file=token),
    )
